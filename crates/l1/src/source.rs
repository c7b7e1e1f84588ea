//! The source that a view reads L1 from.

use std::fmt;

use alloy::rpc::types::Log;
use alloy_primitives::B256;
use turnpike_protocol::{ChainConfig, L1Deployment};

use crate::{EntryPayload, GameStatus, L1Error, PostedEntry};

/// L1's newest block and its newest finalized block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L1Head {
    /// Number of the newest block.
    pub number: u64,
    /// Hash of the newest block.
    pub hash: B256,
    /// Timestamp of the newest block, in seconds.
    pub time: u64,
    /// Number of the newest finalized block, if the endpoint reports it.
    pub finalized: Option<u64>,
}

/// The source that a view reads L1 from: an RPC endpoint, or an L1 in memory in tests.
///
/// A source may lag behind its own answers and may serve another fork with every call. The view
/// detects both. A clone is cheap and reads the same L1.
pub trait L1Source: Clone + fmt::Debug + Send + Sync + 'static {
    /// Addresses of the chain's contracts.
    fn deployment(&self) -> &L1Deployment;

    /// Parameters of the chain.
    fn config(&self) -> &ChainConfig;

    /// Reads L1's head.
    fn head(&self) -> impl Future<Output = Result<L1Head, L1Error>> + Send;

    /// Reads the block with this number; `None` if the source does not have it.
    fn block(&self, number: u64) -> impl Future<Output = Result<Option<L1Block>, L1Error>> + Send;

    /// Reads the logs of inbox, portal, rollup and dispute in the blocks from `first` to `last`, in
    /// order.
    fn logs(&self, first: u64, last: u64)
    -> impl Future<Output = Result<Vec<Log>, L1Error>> + Send;

    /// Reads the contracts' counters after the block with this hash. Fails if the source does not
    /// have the block.
    fn counts(&self, block: B256) -> impl Future<Output = Result<ContractCounts, L1Error>> + Send;

    /// Reads these games after the block with this hash, in order. Fails if the source does not have
    /// the block or a game.
    fn games(
        &self,
        block: B256,
        games: &[u64],
    ) -> impl Future<Output = Result<Vec<GameHead>, L1Error>> + Send;

    /// Reads the batch data of an entry and checks it against the entry's commitment. A forced
    /// entry has no data.
    fn payload(
        &self,
        posted: &PostedEntry,
    ) -> impl Future<Output = Result<EntryPayload, L1Error>> + Send;
}

/// What a game stands at. The records in the logs must come to the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GameHead {
    /// Its status.
    pub status: GameStatus,
    /// Hash of the newest bisection.
    pub bisection: B256,
}

/// Header fields of an L1 block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L1Block {
    /// Block number.
    pub number: u64,
    /// Block hash.
    pub hash: B256,
    /// Hash of the parent block.
    pub parent_hash: B256,
    /// Block timestamp, in seconds.
    pub time: u64,
}

/// The contracts' counters. The numbers of records in the logs must equal them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractCounts {
    /// Number of inbox entries, including entry 0.
    pub entries: u64,
    /// Content chain after the newest batch; zero before the inbox is deployed.
    pub content: B256,
    /// Number of queued deposits.
    pub deposits: u64,
    /// Accumulator over all queued deposits.
    pub deposit_acc: B256,
    /// Number of outputs, including the genesis output.
    pub outputs: u64,
    /// Number of challenges.
    pub challenges: u64,
    /// Number of games.
    pub games: u64,
}
