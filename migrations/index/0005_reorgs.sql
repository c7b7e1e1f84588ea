-- The index's words: a cursor into the journal, reorgs, and the transactions that a reorg took out of a block.
ALTER TABLE indexed RENAME TO index_cursor;
ALTER TABLE reorganisations RENAME TO reorgs;
ALTER TABLE reverted RENAME TO reorged_transactions;
ALTER TABLE reorged_transactions RENAME COLUMN reorganisation TO reorg;
