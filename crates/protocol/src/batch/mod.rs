//! Batches: what the sequencer posts.
//!
//! ```text
//! batch  = version (1) | memory | length of coded | coded | plain
//! coded  = bits by adaptive chances (`coder`); plain = bits as they are: signatures, new addresses, low digits
//! blocks = (more, block)* no more
//! ```
//!
//! There is no other compressor: each value is coded by the model of its column (`models`), which learns as it goes,
//! so that a writer codes a block when it is sealed and knows the size of the batch at any time. Reader and writer are
//! the same code (`columns`), over another [`coder::Coder`].
//!
//! | column | coded as |
//! |---|---|
//! | version | the byte 1 |
//! | memory | a byte, 4 to 10: a chance learns from the last 2^memory - 1 bits, roughly |
//! | length | bytes of `coded`, 7 bits in each byte, the lowest first |
//! | block | one bit if empty and as far from the last as that one was from the one before; else step, transactions, deposits |
//! | deposit hint | L1 block hash if it is another one, then the log index as difference |
//! | state root | 4 plain bytes, if the block holds transactions |
//! | template | type, chain id, creation, access list, selector and words of calldata: place in the list of those seen |
//! | recipient, other addresses | place among those of the column, or of the batch, or 20 plain bytes |
//! | gas limit | by template: place among those seen, or digits and decimal exponent |
//! | nonce | length in bits, two bits, the rest plain |
//! | tip and fee | place of the pair among those seen; or the tip, then the difference |
//! | value, words of calldata | one of four recent ones; address; digits and exponent; distance to the block's time; bytes |
//! | other calldata | length, bytes by mixed contexts (`bytes`) |
//! | access list, authorizations | counts, addresses, words, nonces |
//! | signature | `r`, `s`, 64 plain bytes, the parity in the highest bit of `s` |
//!
//! The 20,000 transactions of a synthetic mix of token transfers and swaps (237.5 bytes each, 64 of them signature) take 89.6 bytes each as one
//! batch; columns of bytes under zstd-3 take 95.6, the OP stack's span batch under brotli-10 97.3: chances of single bits
//! come closer to the entropy than tables of bytes do, and most of what is repeated is a whole address or word.
//! [`Effort::Thorough`] tries other memories; in large batches it gains nothing, small ones like a shorter one.

mod bytes;
mod coder;
mod columns;
mod decode;
mod encode;
mod fields;
mod models;
mod words;

use alloc::vec::Vec;

use alloy_primitives::{B256, FixedBytes};
use alloy_rlp::{RlpDecodable, RlpEncodable};

use crate::{SourceHash, TxEnvelope};

pub use encode::{BatchEncoder, Effort};

/// Version byte of the batch format.
pub const BATCH_VERSION: u8 = 1;

/// What the sequencer posts in one inbox entry: blocks that share an origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The blocks, in order.
    pub blocks: Vec<BatchBlock>,
    /// Where L1 has the deposits that the blocks consume, one for each, in queue order.
    pub deposit_hints: Vec<DepositHint>,
}

/// The first bytes of a state root: enough to tell in which block a false chain begins.
pub type StateRootPrefix = FixedBytes<4>;

/// The beginning of a state root.
pub fn state_root_prefix(state_root: &B256) -> StateRootPrefix {
    StateRootPrefix::from_slice(&state_root[..StateRootPrefix::len_bytes()])
}

/// One block of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchBlock {
    /// Timestamp, in seconds.
    pub timestamp: u64,
    /// Deposits of the queue that the block consumes.
    pub deposit_count: u64,
    /// Beginning of the state root that the sequencer computed, if the block holds transactions. No rule reads it: it
    /// tells a verifier where a false chain begins.
    pub state_root: Option<StateRootPrefix>,
    /// The transactions, in order. Nobody has looked at their signatures.
    pub transactions: Vec<TxEnvelope>,
}

/// Where L1 has a deposit; names its transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct DepositHint {
    /// Hash of the L1 block that queued it.
    pub l1_block_hash: B256,
    /// Index of its log in that block.
    pub log_index: u64,
}

impl DepositHint {
    /// What names the deposit's transaction.
    pub const fn source(self) -> SourceHash {
        SourceHash::User { l1_block_hash: self.l1_block_hash, log_index: self.log_index }
    }
}

/// How large a batch may be when it is decoded. A decoder holds no more than a small multiple of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Blocks of the batch.
    pub blocks_max: usize,
    /// Transactions (deposits apart) of one block.
    pub block_transactions_max: usize,
    /// Deposits that all blocks consume together.
    pub deposits_max: usize,
    /// Bytes that it inflates to: 64 for each block, 40 for each deposit, and for each transaction its calldata, 32 for
    /// each storage key, 64 for each address of its access list, 192 for each authorization, and 320.
    pub inflated_bytes_max: usize,
}

/// Why bytes are not a batch, or blocks make none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// No version byte.
    #[error("batch is empty")]
    Empty,
    /// A version that this chain does not know.
    #[error("batch version {0} is unknown")]
    Version(u8),
    /// The bytes end too early.
    #[error("batch is truncated")]
    Truncated,
    /// The bytes are none that an encoder makes.
    #[error("batch is malformed: {0}")]
    Malformed(&'static str),
    /// More of something than allowed.
    #[error("batch has too many {0}: {1}")]
    TooMany(&'static str, usize),
    /// It inflates to more bytes than allowed.
    #[error("batch does not inflate within {0} bytes")]
    TooLarge(usize),
    /// A transaction to encode, told by its place in the block, is not in canonical form.
    #[error("transaction {0} of the block is not canonical")]
    Transaction(usize),
}
