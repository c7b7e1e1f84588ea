-- One table for the signed L1 transactions of all roles.
CREATE TABLE signed_transactions (
    l1_transaction BYTEA PRIMARY KEY,
    -- The role that signed it.
    role TEXT NOT NULL,
    -- In the order of signing.
    attempt BIGINT NOT NULL,
    nonce BIGINT NOT NULL,
    -- What it is for, in the role's words: the role sends nothing else for a purpose in flight.
    purpose TEXT NOT NULL,
    -- Timestamp, in seconds, of the last L1 block that it is good for.
    deadline BIGINT NOT NULL,
    -- Newest L1 block when it was signed.
    l1_block BIGINT NOT NULL,
    -- EIP-2718 encoding, without blobs.
    raw BYTEA NOT NULL
);
INSERT INTO signed_transactions (l1_transaction, role, attempt, nonce, purpose, deadline, l1_block, raw)
    SELECT l1_transaction, 'challenger', attempt, nonce, purpose, deadline, l1_block, raw FROM sent;
INSERT INTO signed_transactions (l1_transaction, role, attempt, nonce, purpose, deadline, l1_block, raw)
    SELECT l1_transaction, 'batcher', attempt, nonce, 'entry ' || entry, 9223372036854775807, l1_block, raw FROM attempts;
DROP TABLE sent;
DROP TABLE attempts;
