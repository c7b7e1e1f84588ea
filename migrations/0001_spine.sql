-- One schema for SQLite and PostgreSQL. Each role writes its own tables, and only those.

-- Which chain the database belongs to.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

-- Sequencer. Transactions that were acknowledged and are in no block yet, in the order of their arrival.
CREATE TABLE pending (
    arrival BIGINT PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    raw BYTEA NOT NULL
);

-- Sequencer. The ground truth: sealed blocks, from which everything else can be rebuilt.
CREATE TABLE journal (
    sequence BIGINT PRIMARY KEY,
    epoch BIGINT NOT NULL,
    payload BYTEA NOT NULL,
    checksum BYTEA NOT NULL
);

-- Sequencer. Look-ups, derived from the journal.
CREATE TABLE blocks (
    number BIGINT PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    payload BYTEA NOT NULL
);
CREATE TABLE transactions (
    hash BYTEA PRIMARY KEY,
    block BIGINT NOT NULL,
    position BIGINT NOT NULL
);
CREATE TABLE refused (
    hash BYTEA PRIMARY KEY,
    reason TEXT NOT NULL
);

-- Batcher. What was sent to the inbox; a row exists before its transaction is broadcast.
CREATE TABLE batches (
    entry BIGINT PRIMARY KEY,
    first_block BIGINT NOT NULL,
    last_block BIGINT NOT NULL,
    data_hash BYTEA NOT NULL,
    nonce BIGINT NOT NULL,
    l1_transaction BYTEA NOT NULL,
    l1_block BIGINT
);
