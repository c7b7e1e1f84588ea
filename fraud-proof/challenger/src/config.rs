//! How a challenger runs.

use std::{num::NonZeroUsize, time::Duration};

use alloy::signers::local::PrivateKeySigner;
use turnpike_executor::EngineConfig;
use turnpike_l1::L1Endpoints;
use turnpike_storage::DatabaseLocation;
use turnpike_tx_manager::FeePolicy;

/// How a challenger runs.
#[derive(Clone, Debug)]
pub struct ChallengerConfig {
    /// L1's endpoints.
    pub l1: L1Endpoints,
    /// Number of L1 blocks on top of a block before it is read.
    pub l1_confirmations: u64,
    /// Interval between two reads of L1.
    pub poll: Duration,
    /// Engine for the derived blocks.
    pub execution: EngineConfig,
    /// Threads that run the proof program on disputed blocks; `None`: one per processor.
    pub run_threads: Option<NonZeroUsize>,
    /// Key that challenges and defends. Without it the challenger reports only.
    pub key: Option<PrivateKeySigner>,
    /// Database of the outbox. Without it, a restarted challenger does not know what is in flight.
    pub database: Option<DatabaseLocation>,
    /// Fee policy of its transactions.
    pub fees: FeePolicy,
    /// Whether to propose and finalize outputs with the same key, and how.
    pub propose: Option<ProposeConfig>,
    /// JSON-RPC endpoint of a node that serves the claimed chain, which makes reports more exact.
    /// Not trusted.
    pub peer: Option<String>,
    /// Whether to stop once every output on L1 is judged, and challenged if it is wrong. Games are
    /// not played then.
    pub once: bool,
}

/// How a challenger proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposeConfig {
    /// L1 seconds between two outputs.
    pub interval: u64,
}
