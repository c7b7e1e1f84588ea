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
