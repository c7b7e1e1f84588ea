-- Batcher. What was to be appended to the inbox before had less in it; L1 knows all that came of it.
DROP TABLE batches;

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
    confirmed BOOLEAN NOT NULL DEFAULT FALSE,
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
