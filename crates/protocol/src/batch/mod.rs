//! Batches: the blocks that the sequencer posts in one inbox entry.
//!
//! ## Format
//!
//! ```text
//! batch  = version (1) | memory | length of coded | coded | plain
//! coded  = bits under adaptive probabilities (`coder`)
//! plain  = bits as they are: signatures, new addresses, low digits
//! blocks = head, (more = 1, block)*, more = 0
//! ```
//!
//! The format uses no general compressor. The model of its column (`models`) codes each value and
//! learns from it, so a writer codes a block when it is sealed and always knows the size of the
//! batch. Reader and writer share the code of the columns (`columns`) and differ in their
//! [`coder::Coder`].
//!
//! | column | coded as |
//! |---|---|
//! | version | the byte 2 |
//! | memory | a byte, 4 to 10: a probability learns from roughly the last 2^memory - 1 bits |
//! | length | bytes of `coded`, as minimal LEB128 |
//! | head | first deposit, reference time in seconds |
//! | block | one bit if empty and with the same step as before; else step, transactions, deposits |
//! | deposit hint | L1 block hash if it differs, then the difference of the log index |
//! | state root | 4 plain bytes, if the block holds transactions |
//! | template | type, chain id, creation, access list, selector, calldata words: position among those seen |
//! | recipient, other addresses | position in the column, or in the batch, or 20 plain bytes |
//! | gas limit | by template: position among those seen, or digits and decimal exponent |
//! | nonce | length in bits, two bits, the rest plain |
//! | tip and fee | position of the pair among those seen; or the tip, then the difference |
//! | value, words of calldata | one of four recent ones; address; digits and exponent; distance to the block's time; bytes |
//! | other calldata | length, bytes |
//! | bytes | a flag: raw, or by mixed contexts (`bytes`) |
//! | access list, authorizations | counts, addresses, words, nonces |
//! | signature | `r`, `s`, 64 plain bytes, the parity in the highest bit of `s` |
//!
//! ## Limits
//!
//! [`BatchLimits`] bounds blocks, transactions, deposits, inflated and mixed bytes. Decoding succeeds
//! completely or fails, and it never holds more than a small multiple of the limits. A writer never
//! exceeds the mixed bytes: it turns to raw ones.
//!
//! # Time
//!
//! A block holds the milliseconds since the block before it: a batch does not know when its first
//! block's parent is. The reference time decides only how words near the block's time are coded.
//!
//! ## Example
//!
//! ```
//! use turnpike_protocol::{Batch, BatchBlock, BatchLimits, Effort};
//!
//! let limits = BatchLimits {
//!     blocks_max: 8,
//!     block_transactions_max: 100,
//!     deposits_max: 4,
//!     inflated_bytes_max: 1 << 16,
//!     mixed_bytes_max: 1 << 12,
//! };
//! let block = |step_ms| BatchBlock { step_ms, ..BatchBlock::default() };
//! let batch = Batch { blocks: vec![block(10), block(100), block(100)], ..Batch::default() };
//!
//! let bytes = batch.encode(limits, Effort::Fast)?;
//! assert_eq!(bytes[0], 2, "the format's version");
//! assert_eq!(Batch::decode(&bytes, &limits)?, batch);
//!
//! // All or nothing: a truncated batch is an error.
//! assert!(Batch::decode(&bytes[..bytes.len() - 1], &limits).is_err());
//! # Ok::<(), turnpike_protocol::BatchError>(())
//! ```

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
pub const BATCH_VERSION: u8 = 2;

/// Blocks that share an origin, as posted in one inbox entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// What the batch says before its blocks.
    pub head: BatchHead,
    /// The blocks, in order.
    pub blocks: Vec<BatchBlock>,
    /// Positions on L1 of the deposits that the blocks consume, in queue order.
    pub deposit_hints: Vec<DepositHint>,
}

/// What a batch says before its blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchHead {
    /// Index in the queue of the first deposit that the batch counts and gives a hint for.
    pub first_deposit: u64,
    /// A time near the blocks, in seconds. It decides only how words near it are coded.
    pub reference_time: u64,
}

/// The first bytes of a state root. They show in which block a false chain begins.
pub type StateRootPrefix = FixedBytes<4>;

/// The first bytes of a state root.
pub fn state_root_prefix(state_root: &B256) -> StateRootPrefix {
    StateRootPrefix::from_slice(&state_root[..StateRootPrefix::len_bytes()])
}

/// One block of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchBlock {
    /// Milliseconds since the block before it.
    pub step_ms: u64,
    /// Number of queued deposits that the block consumes.
    pub deposit_count: u64,
    /// Prefix of the state root that the sequencer computed, if the block holds transactions. No
    /// rule reads it. It shows a verifier in which block a false chain begins.
    pub state_root: Option<StateRootPrefix>,
    /// The transactions, in order. Their signatures are not checked.
    pub transactions: Vec<TxEnvelope>,
}

/// A deposit's position on L1. It determines the hash of the deposit's transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct DepositHint {
    /// Hash of the L1 block that queued it.
    pub l1_block_hash: B256,
    /// Index of its log in that block.
    pub log_index: u64,
}

impl DepositHint {
    /// The source of the deposit's transaction hash.
    pub const fn source(self) -> SourceHash {
        SourceHash::User { l1_block_hash: self.l1_block_hash, log_index: self.log_index }
    }
}

/// Limits of a decoded batch. A decoder holds no more than a small multiple of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Maximum number of blocks in the batch.
    pub blocks_max: usize,
    /// Maximum number of transactions in one block, without deposits.
    pub block_transactions_max: usize,
    /// Maximum number of deposits that all blocks consume together.
    pub deposits_max: usize,
    /// Maximum inflated bytes: 64 per block, 40 per deposit, and the EIP-2718 bytes of the
    /// transactions.
    pub inflated_bytes_max: usize,
    /// Maximum bytes that the mixed contexts code.
    pub mixed_bytes_max: usize,
}

/// Why bytes are not a batch, or blocks cannot be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The version byte is missing.
    #[error("batch is empty")]
    Empty,
    /// The version is unknown.
    #[error("batch version {0} is unknown")]
    Version(u8),
    /// The bytes end too early.
    #[error("batch is truncated")]
    Truncated,
    /// No encoder writes these bytes.
    #[error("batch is malformed: {0}")]
    Malformed(&'static str),
    /// A count exceeds its limit.
    #[error("batch has too many {0}: {1}")]
    TooMany(&'static str, usize),
    /// The batch inflates to more bytes than allowed.
    #[error("batch does not inflate within {0} bytes")]
    TooLarge(usize),
    /// The transaction at this position of the block is not in canonical form.
    #[error("transaction {0} of the block is not canonical")]
    Transaction(usize),
}
