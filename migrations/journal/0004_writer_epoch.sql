-- The table holds the epoch of the process that may write, not a process that leads.
ALTER TABLE leader RENAME TO writer_epoch;
