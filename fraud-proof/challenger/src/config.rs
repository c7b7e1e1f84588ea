use std::time::Duration;

use alloy::signers::local::PrivateKeySigner;
use turnpike_executor::EngineConfig;
use turnpike_l1::L1Endpoints;
use turnpike_storage::DatabaseLocation;
use turnpike_tx_manager::FeePolicy;

/// How a challenger runs.
#[derive(Clone, Debug)]
pub struct ChallengerConfig {
    /// Where L1 is served.
    pub l1: L1Endpoints,
    /// L1 blocks on top of one before it is believed.
    pub l1_confirmations: u64,
    /// How often L1 is looked at.
    pub poll: Duration,
    /// What runs the derived blocks.
    pub execution: EngineConfig,
    /// Key that challenges and defends; without it wrong outputs are only reported.
    pub key: Option<PrivateKeySigner>,
    /// Where what was sent is kept. Without it, a challenger that starts again does not know what is on its way.
    pub database: Option<DatabaseLocation>,
    /// What is paid for gas.
    pub fees: FeePolicy,
    /// To propose and finalize outputs as well, with the same key.
    pub propose: Option<ProposeConfig>,
    /// JSON-RPC endpoint of a node that serves the claimed chain: makes reports more exact. Not trusted.
    pub peer: Option<String>,
    /// Whether to end once L1's head is reached and every output is judged, and challenged if it has to be: games are left
    /// alone.
    pub once: bool,
}

/// How a challenger proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposeConfig {
    /// L1 seconds between an output and the next.
    pub interval: u64,
}
