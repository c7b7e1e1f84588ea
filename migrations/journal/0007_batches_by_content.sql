-- Batches by their place in the inbox's content chain. Those of older inboxes, which named entries, belong to other chains.
DROP TABLE batches;
CREATE TABLE batches (
    -- Batches before it in the inbox, plus 1.
    number BIGINT PRIMARY KEY,
    -- The content chain before and after it.
    content_before BYTEA NOT NULL,
    content BYTEA NOT NULL,
    first_block BIGINT NOT NULL,
    last_block BIGINT NOT NULL,
    last_time_ms BIGINT NOT NULL,
    last_hash BYTEA NOT NULL,
    transactions BIGINT NOT NULL,
    origin BIGINT NOT NULL,
    origin_acc BYTEA NOT NULL,
    deposit_count BIGINT NOT NULL,
    deposit_acc BYTEA NOT NULL,
    data_kind BIGINT NOT NULL,
    data_hash BYTEA NOT NULL,
    data_bytes BIGINT NOT NULL,
    -- Empty once the batch is confirmed.
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
ALTER TABLE derived RENAME COLUMN last_timestamp TO last_time_ms;
