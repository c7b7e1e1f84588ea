-- Which blocks may hold a log of an address or with a topic, or a transaction of an account. A key is four bytes of a hash: one too many
-- costs a look at a block.

-- Keys of a block, four bytes each, in order. Only of blocks whose section is not complete.
CREATE TABLE block_keys (
    block BIGINT PRIMARY KEY,
    keys BYTEA NOT NULL
);

-- Complete sections: 256 blocks each, the first at a multiple of 256. A posting is a key, four bytes, and the block's place in the section,
-- one byte. A row holds those after the row before, up to the key `last`, in order; the last row of a section goes up to 2^32 - 1.
CREATE TABLE block_postings (
    section BIGINT NOT NULL,
    last BIGINT NOT NULL,
    postings BYTEA NOT NULL,
    PRIMARY KEY (section, last)
);
