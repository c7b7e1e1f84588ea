use std::time::Duration;

use alloy::signers::local::PrivateKeySigner;
use turnpike_executor::EngineConfig;
use turnpike_l1::L1Endpoints;

/// Configuration of a proposer.
#[derive(Clone, Debug)]
pub struct ProposerConfig {
    /// Endpoints of L1.
    pub l1: L1Endpoints,
    /// L1 blocks on top of an L1 block before it is read.
    pub l1_confirmations: u64,
    /// Time between two steps.
    pub poll: Duration,
    /// Engine that executes the derived blocks.
    pub execution: EngineConfig,
    /// Key of the proposing account.
    pub key: PrivateKeySigner,
    /// L1 seconds between two outputs.
    pub interval: u64,
    /// Whether credited bonds are withdrawn.
    pub withdraw_bonds: bool,
}
