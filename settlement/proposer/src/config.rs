use std::time::Duration;

use alloy::signers::local::PrivateKeySigner;
use turnpike_executor::EngineConfig;
use turnpike_l1::L1Endpoints;

/// How a proposer runs.
#[derive(Clone, Debug)]
pub struct ProposerConfig {
    /// Where L1 is served.
    pub l1: L1Endpoints,
    /// L1 blocks on top of one before it is believed.
    pub l1_confirmations: u64,
    /// How often L1 is looked at.
    pub poll: Duration,
    /// What runs the derived blocks.
    pub execution: EngineConfig,
    /// Key that proposes.
    pub key: PrivateKeySigner,
    /// L1 seconds between an output and the next.
    pub interval: u64,
    /// Whether bonds that came back are taken out.
    pub withdraw_bonds: bool,
}
