//! What the journal is made of.

use std::ops::Range;

use alloy_primitives::{Address, B64, B256, Bytes};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use turnpike_protocol::{Origin, QueuedDeposit};

use crate::BlockTimes;

/// A row of the journal: an entry at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// Its place, counted from 0 without gaps; never given twice.
    pub sequence: u64,
    /// Who led when it was written.
    pub epoch: u64,
    /// When it was written, in Unix milliseconds.
    pub written_at_ms: u64,
    /// What it says.
    pub entry: JournalEntry,
}

/// What a row of the journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all rows are slices")]
pub enum JournalEntry {
    /// Transactions that ran or wait.
    Slice(SliceEntry),
    /// What a block came to that is complete.
    Sealed(SealedEntry),
    /// The end of the chain is void. What stands there instead follows in later rows.
    Reorg(ReorgEntry),
}

/// What happened to transactions between two commits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SliceEntry {
    /// What was added to a block, if one is open.
    pub part: Option<BlockPart>,
    /// Transactions that were accepted and did not run yet, in the order of arrival.
    pub accepted: Vec<AcceptedTx>,
    /// Transactions that were accepted, here or earlier, and will not run, each with the reason.
    pub refused: Vec<(B256, String)>,
    /// When the transactions of the part were received, in Unix milliseconds: one for each, or none at all, if that is not known.
    pub received_ms: Vec<u64>,
}

/// A part of a block: blocks consist of whole parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPart {
    /// Number of the block.
    pub block: u64,
    /// How the block begins; in its first part only.
    pub opening: Option<BlockOpening>,
    /// Transactions of users, in order.
    pub transactions: Vec<JournalTx>,
    /// What came of each, those of the opening's deposits and of the attributes first: the first eight bytes of its receipt's hash,
    /// zero for one that was skipped (which only blocks that L1 gave hold).
    pub outcomes: Vec<B64>,
    /// Whether the block is complete.
    pub is_last: bool,
}

/// How a block begins.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct BlockOpening {
    /// Its timestamp, in seconds.
    pub timestamp: u64,
    /// The L1 attributes it sees.
    pub origin: Origin,
    /// Deposits of the queue that it consumes.
    pub deposits: Vec<QueuedDeposit>,
}

/// A transaction as the journal holds it.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct JournalTx {
    /// Its EIP-2718 bytes.
    pub raw: Bytes,
    /// Who signed it.
    pub sender: Address,
}

/// A transaction that waits for its turn.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct AcceptedTx {
    /// Its place in the order of arrival.
    pub arrival: u64,
    /// When it was received, in Unix milliseconds.
    pub received_ms: u64,
    /// The transaction.
    pub tx: JournalTx,
}

/// What a complete block came to.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct SealedEntry {
    /// Number of the block.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// State root after it.
    pub state_root: B256,
}

/// An end of the chain that is void.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReorgEntry {
    /// Blocks from this one on are void, an open one included.
    pub first_block: u64,
    /// Why.
    pub reason: String,
    /// Transactions of theirs that wait again.
    pub waiting: Vec<AcceptedTx>,
    /// Transactions of theirs that will not run any more, each with the reason.
    pub refused: Vec<(B256, String)>,
}

/// A block as the journal's parts give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalBlock {
    /// Its number.
    pub number: u64,
    /// How it begins.
    pub opening: BlockOpening,
    /// Transactions of users, in order.
    pub transactions: Vec<JournalTx>,
    /// What came of each, as in [`BlockPart::outcomes`].
    pub outcomes: Vec<B64>,
    /// When its parts were written, and their transactions received.
    pub times: BlockTimes,
    /// Rows from that of its first part to that of its last, the end excluded. Others may lie between.
    pub rows: Range<u64>,
    /// Whether it is complete.
    pub is_complete: bool,
}
