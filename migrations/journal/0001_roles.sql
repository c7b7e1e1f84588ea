-- One schema for SQLite and PostgreSQL. Each role writes its own tables, and only those. Everything here is ground truth: it is durable
-- before anybody hears of it.

-- Which chain the database belongs to.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

-- Who writes: one row. Its epoch counts up whenever the database is opened to write, and whoever has an older one cannot append.
CREATE TABLE leader (
    epoch BIGINT NOT NULL
);
INSERT INTO leader (epoch) VALUES (0);

-- Sequencer. What happened, in order; nothing is ever changed or deleted. Sequences have no gaps; each checksum is over that of the row
-- before and all of its own row.
CREATE TABLE journal (
    sequence BIGINT PRIMARY KEY,
    epoch BIGINT NOT NULL,
    payload BYTEA NOT NULL,
    checksum BYTEA NOT NULL
);

-- Batcher. The batch that an inbox entry is meant to hold: all that it takes to post it, byte for byte, until it is confirmed.
CREATE TABLE batches (
    entry BIGINT PRIMARY KEY,
    previous_acc BYTEA NOT NULL,
    first_block BIGINT NOT NULL,
    last_block BIGINT NOT NULL,
    last_hash BYTEA NOT NULL,
    transactions BIGINT NOT NULL,
    origin BIGINT NOT NULL,
    deposit_count BIGINT NOT NULL,
    deposit_acc BYTEA NOT NULL,
    data_kind BIGINT NOT NULL,
    data_hash BYTEA NOT NULL,
    data_bytes BIGINT NOT NULL,
    -- Empty once the entry is confirmed.
    data BYTEA NOT NULL,
    confirmed BIGINT NOT NULL DEFAULT 0,
    -- What became of it on L1; empty while L1 does not hold it.
    l1_transaction BYTEA,
    l1_block BIGINT,
    gas_used BIGINT,
    gas_price BIGINT,
    blob_gas_used BIGINT,
    blob_gas_price BIGINT
);

-- Batcher. Every transaction that was signed for a batch; a row exists before its transaction is broadcast, and until its nonce is
-- used up for good.
CREATE TABLE attempts (
    l1_transaction BYTEA PRIMARY KEY,
    -- In the order of signing.
    attempt BIGINT NOT NULL,
    entry BIGINT NOT NULL,
    nonce BIGINT NOT NULL,
    data_kind BIGINT NOT NULL,
    gas_limit BIGINT NOT NULL,
    max_fee_per_gas BIGINT NOT NULL,
    max_priority_fee_per_gas BIGINT NOT NULL,
    max_fee_per_blob_gas BIGINT NOT NULL,
    -- Newest L1 block at the time.
    l1_block BIGINT NOT NULL,
    raw BYTEA NOT NULL
);

-- Batcher. What each inbox entry derives, and that the journal holds the same: a restart need not derive it again.
CREATE TABLE derived (
    entry BIGINT PRIMARY KEY,
    acc BYTEA NOT NULL,
    first_block BIGINT NOT NULL,
    last_block BIGINT NOT NULL,
    last_timestamp BIGINT NOT NULL,
    last_origin BIGINT,
    last_hash BYTEA NOT NULL
);

-- Challenger. Every transaction that was signed; a row exists before its transaction is broadcast, and until its nonce is used up
-- for good. What has become of it L1 knows.
CREATE TABLE sent (
    l1_transaction BYTEA PRIMARY KEY,
    -- In the order of signing.
    attempt BIGINT NOT NULL,
    nonce BIGINT NOT NULL,
    -- What it is for, in the challenger's words: what is in flight for one purpose is not sent again for it.
    purpose TEXT NOT NULL,
    -- Timestamp, in seconds, of the last L1 block that it is good for.
    deadline BIGINT NOT NULL,
    -- Newest L1 block at the time.
    l1_block BIGINT NOT NULL,
    raw BYTEA NOT NULL
);
CREATE INDEX sent_by_nonce ON sent (nonce);
