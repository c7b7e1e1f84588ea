-- The journal's table `waiting` holds the transactions that were here.
DROP TABLE pending;
