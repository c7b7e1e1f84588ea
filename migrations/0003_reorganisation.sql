-- Sequencer. Times that the end of the chain was taken back because L1 demanded it. The epoch of the journal's records is
-- the newest of these at the time of writing, or 0.
CREATE TABLE reorganisations (
    epoch BIGINT PRIMARY KEY,
    first_block BIGINT NOT NULL,
    last_block BIGINT NOT NULL,
    reason TEXT NOT NULL
);

-- Sequencer. Transactions, deposits included, that were in a block that was taken back.
CREATE TABLE reverted (
    hash BYTEA NOT NULL,
    epoch BIGINT NOT NULL,
    block BIGINT NOT NULL,
    PRIMARY KEY (hash, epoch)
);

-- Sequencer. Look-ups, derived from the journal: messages to L1.
CREATE TABLE withdrawals (
    hash BYTEA PRIMARY KEY,
    block BIGINT NOT NULL,
    l2_transaction BYTEA NOT NULL,
    payload BYTEA NOT NULL
);
CREATE INDEX withdrawals_by_block ON withdrawals (block);
CREATE INDEX withdrawals_by_transaction ON withdrawals (l2_transaction);

-- Sequencer. The message passer's account, proven in the state after a block. Kept for good after the last block of an entry.
CREATE TABLE passer_proofs (
    block BIGINT PRIMARY KEY,
    kept BIGINT NOT NULL DEFAULT 0,
    payload BYTEA NOT NULL
);
