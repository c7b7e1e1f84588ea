//! Rows and entries of the journal, and the blocks that they make up.

use std::ops::Range;

use alloy_primitives::{Address, B64, B256, Bytes};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use turnpike_protocol::{Origin, QueuedDeposit};

use crate::BlockTimes;

/// A row of the journal: an entry with its position, writer and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// Position, counted from 0 without gaps. No two rows share one.
    pub sequence: u64,
    /// Epoch of the process that wrote it.
    pub epoch: u64,
    /// Time of writing, in Unix milliseconds.
    pub written_at_ms: u64,
    /// Content.
    pub entry: JournalEntry,
}

/// Content of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all rows are slices")]
pub enum JournalEntry {
    /// Transactions that were executed, accepted or refused.
    Slice(SliceEntry),
    /// Hash and state root of a complete block.
    Sealed(SealedEntry),
    /// A reorg voids the newest blocks. Later rows hold the blocks that replace them.
    Reorg(ReorgEntry),
}

/// What happened to transactions since the previous slice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SliceEntry {
    /// Transactions added to the open block, if any.
    pub part: Option<BlockPart>,
    /// Transactions that were accepted into the pool and are not executed yet, in order of arrival.
    pub accepted: Vec<AcceptedTx>,
    /// Transactions that were accepted, here or earlier, and will not be executed, with the reason.
    pub refused: Vec<(B256, String)>,
    /// When each transaction of the part was received, in Unix milliseconds. Empty if that is
    /// unknown.
    pub received_ms: Vec<u64>,
}

/// The part of a block that one slice adds. A block consists of whole parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPart {
    /// Number of the block.
    pub block: u64,
    /// The block's environment and deposits. Only the first part has it.
    pub opening: Option<BlockOpening>,
    /// Transactions of users, in order.
    pub transactions: Vec<JournalTx>,
    /// One outcome for each transaction, starting with the deposits of the opening and the L1
    /// attributes: the first eight bytes of its receipt's hash. Zero stands for a skipped
    /// transaction; only blocks derived from L1, and blocks that ran again on top of those, have
    /// those.
    pub outcomes: Vec<B64>,
    /// Whether this part completes the block.
    pub is_last: bool,
}

impl BlockPart {
    /// The transactions of users that were not skipped.
    pub(super) fn included(&self) -> impl Iterator<Item = &JournalTx> {
        let deposits = self.outcomes.len().saturating_sub(self.transactions.len());
        let outcomes = self.outcomes.iter().skip(deposits);
        let ran = self.transactions.iter().zip(outcomes).filter(|(_, outcome)| !outcome.is_zero());
        ran.map(|(tx, _)| tx)
    }
}

/// The inputs of a block that are fixed when it opens.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct BlockOpening {
    /// Block time, in milliseconds.
    pub time_ms: u64,
    /// L1 attributes that the block sees.
    pub origin: Origin,
    /// Deposits that the block consumes from the queue.
    pub deposits: Vec<QueuedDeposit>,
}

/// A user's transaction in the journal.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct JournalTx {
    /// EIP-2718 encoding.
    pub raw: Bytes,
    /// Recovered signer.
    pub sender: Address,
}

/// A transaction in the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedTx {
    /// Position in the order of arrival.
    pub arrival: u64,
    /// Time of reception, in Unix milliseconds.
    pub received_ms: u64,
    /// Hash of the transaction.
    pub hash: B256,
    /// Recovered signer.
    pub sender: Address,
    /// EIP-2718 encoding.
    pub raw: AcceptedBytes,
}

/// Where the bytes of a transaction in the pool are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcceptedBytes {
    /// In the log of waiting transactions, not in the row. `None` if the log was not read, or no
    /// longer holds them.
    Log(Option<Bytes>),
    /// In the row, as earlier builds wrote it.
    Row(Bytes),
}

impl AcceptedTx {
    /// EIP-2718 encoding, if it is known.
    pub const fn bytes(&self) -> Option<&Bytes> {
        match &self.raw {
            AcceptedBytes::Log(raw) => raw.as_ref(),
            AcceptedBytes::Row(raw) => Some(raw),
        }
    }
}

/// The result of a complete block.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct SealedEntry {
    /// Number of the block.
    pub number: u64,
    /// Block hash.
    pub hash: B256,
    /// State root after the block.
    pub state_root: B256,
}

/// Voids the newest blocks because L1 replaced or forbids them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReorgEntry {
    /// First void block. All later blocks are void, the open one included.
    pub first_block: u64,
    /// Why, for clients and logs.
    pub reason: String,
    /// Transactions of void blocks that go back into the pool.
    pub waiting: Vec<AcceptedTx>,
    /// Transactions of void blocks that will not be executed, with the reason.
    pub refused: Vec<(B256, String)>,
}

/// A block put together from its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalBlock {
    /// Number of the block.
    pub number: u64,
    /// Environment and deposits.
    pub opening: BlockOpening,
    /// Transactions of users, in order.
    pub transactions: Vec<JournalTx>,
    /// Outcomes, as in [`BlockPart::outcomes`].
    pub outcomes: Vec<B64>,
    /// When its parts were written and their transactions received.
    pub times: BlockTimes,
    /// Rows from its first part to its last, the end excluded. Rows without its parts may lie
    /// between.
    pub rows: Range<u64>,
    /// Whether all parts of the block are present.
    pub is_complete: bool,
}
