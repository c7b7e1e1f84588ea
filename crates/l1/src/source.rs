use std::fmt;

use alloy::rpc::types::Log;
use alloy_primitives::B256;
use turnpike_protocol::{ChainConfig, L1Deployment};

use crate::{EntryPayload, L1Error, L1Head, PostedEntry};

/// Where a view of L1 comes from: an RPC endpoint, or a test's own L1 in memory.
///
/// A source may lag behind its own answers, and may serve another fork from one call to the next: it is for the view to
/// notice.
pub trait L1Source: fmt::Debug + Send + Sync {
    /// Where the chain's contracts are.
    fn deployment(&self) -> &L1Deployment;

    /// The chain's rules.
    fn config(&self) -> &ChainConfig;

    /// Where L1 is now.
    fn head(&self) -> impl Future<Output = Result<L1Head, L1Error>> + Send;

    /// The block of this number, if the source has it.
    fn block(&self, number: u64) -> impl Future<Output = Result<Option<L1Block>, L1Error>> + Send;

    /// Logs of inbox, portal, rollup and dispute in the blocks from `first` to `last`, in order.
    fn logs(&self, first: u64, last: u64)
    -> impl Future<Output = Result<Vec<Log>, L1Error>> + Send;

    /// What the contracts have counted after the block with this hash. An error if the source does not have it.
    fn counts(&self, block: B256) -> impl Future<Output = Result<Counts, L1Error>> + Send;

    /// The batch data of an entry, checked against what the entry commits to. Empty for a forced entry.
    fn payload(
        &self,
        posted: &PostedEntry,
    ) -> impl Future<Output = Result<EntryPayload, L1Error>> + Send;
}

/// What is known of an L1 block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L1Block {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Hash of the block before it.
    pub parent_hash: B256,
    /// Its timestamp, in seconds.
    pub time: u64,
}

/// What the contracts have counted: logs that were read must come to the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Inbox entries, entry 0 included.
    pub entries: u64,
    /// Queued deposits.
    pub deposits: u64,
    /// The queue's accumulator after them.
    pub deposit_acc: B256,
    /// Outputs, the genesis output included.
    pub outputs: u64,
    /// Challenges.
    pub challenges: u64,
    /// Games.
    pub games: u64,
}
