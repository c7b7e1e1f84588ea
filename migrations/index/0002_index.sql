-- One schema for SQLite, where it is a file of its own, and PostgreSQL. All of it follows from the journal, is written behind it, and can
-- be deleted at any time.

-- How far the journal has gone into the look-ups: one row. The epoch is that of whoever writes them.
CREATE TABLE indexed (
    sequence BIGINT NOT NULL,
    epoch BIGINT NOT NULL
);
INSERT INTO indexed (sequence, epoch) VALUES (0, 0);

-- Sealed blocks. The rows of the journal that hold one are those from first_row to the one before end_row; the genesis block has none.
CREATE TABLE blocks (
    number BIGINT PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    state_root BYTEA NOT NULL,
    first_row BIGINT,
    end_row BIGINT,
    payload BYTEA NOT NULL,
    -- When its hash was written, in Unix milliseconds, and when its parts were and their transactions received.
    sealed_ms BIGINT,
    times BYTEA
);

-- Where transactions are: runs of entries, sorted by hash. Those of one level are merged into one of the next.
CREATE TABLE transaction_runs (
    id BIGINT PRIMARY KEY,
    level BIGINT NOT NULL,
    -- Its entries are of blocks from this one to that one.
    first_block BIGINT NOT NULL,
    last_block BIGINT NOT NULL,
    -- The run that takes over its entries, those with low hashes first.
    merged_into BIGINT
);

-- Their entries. One is a hash and eight bytes: the block's number, but for the last three, which are the transaction's place in it. A row
-- holds those after the row before, up to the last one whose hash begins with the seven bytes of `last`.
CREATE TABLE transactions (
    run BIGINT NOT NULL,
    last BIGINT NOT NULL,
    entries BYTEA NOT NULL,
    PRIMARY KEY (run, last)
);

-- Transactions that were acknowledged and are in no block yet, in the order of their arrival.
CREATE TABLE pending (
    arrival BIGINT PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    sender BYTEA NOT NULL,
    raw BYTEA NOT NULL,
    -- When it was received, in Unix milliseconds.
    received_ms BIGINT NOT NULL
);

-- Transactions that were acknowledged and will not run.
CREATE TABLE refused (
    hash BYTEA PRIMARY KEY,
    reason TEXT NOT NULL
);

-- Times that the end of the chain was taken back because L1 demanded it, counted from 1.
CREATE TABLE reorganisations (
    id BIGINT PRIMARY KEY,
    first_block BIGINT NOT NULL,
    reason TEXT NOT NULL
);

-- Transactions, deposits included, that were in a block that was taken back.
CREATE TABLE reverted (
    hash BYTEA NOT NULL,
    reorganisation BIGINT NOT NULL,
    block BIGINT NOT NULL,
    PRIMARY KEY (hash, reorganisation)
);

-- Messages to L1.
CREATE TABLE withdrawals (
    hash BYTEA PRIMARY KEY,
    block BIGINT NOT NULL,
    l2_transaction BYTEA NOT NULL,
    payload BYTEA NOT NULL
);
CREATE INDEX withdrawals_by_block ON withdrawals (block);
CREATE INDEX withdrawals_by_transaction ON withdrawals (l2_transaction);

-- The message passer's account, proven in the state after a block. Kept for good after the last block of an entry.
CREATE TABLE passer_proofs (
    block BIGINT PRIMARY KEY,
    kept BIGINT NOT NULL DEFAULT 0,
    payload BYTEA NOT NULL
);
