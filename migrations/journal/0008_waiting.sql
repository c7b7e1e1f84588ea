-- Sequencer. Transactions that were accepted and that no block holds yet. Rows of the journal name them by their hash; a transaction leaves
-- this table when a row includes or refuses it.
CREATE TABLE waiting (
    hash BYTEA PRIMARY KEY,
    -- The row of the journal that accepted it.
    sequence BIGINT NOT NULL,
    -- Its position in the order of arrival.
    arrival BIGINT NOT NULL,
    sender BYTEA NOT NULL,
    -- When it was received, in Unix milliseconds.
    received_ms BIGINT NOT NULL,
    -- EIP-2718 encoding; empty if a replica's source no longer had it.
    raw BYTEA NOT NULL
);
CREATE INDEX waiting_by_sequence ON waiting (sequence);
