use std::{path::PathBuf, time::Duration};

use alloy::signers::local::PrivateKeySigner;

/// How a batcher runs.
#[derive(Clone, Debug)]
pub struct BatcherConfig {
    /// L1 endpoint.
    pub l1_url: String,
    /// L1 blocks on top of one before it is believed.
    pub l1_confirmations: u64,
    /// How often L1 and the journal are looked at.
    pub poll: Duration,
    /// The sequencer's database, read only.
    pub journal: PathBuf,
    /// The batcher's own database.
    pub database: PathBuf,
    /// Key of the only account that may append to the inbox.
    pub key: PrivateKeySigner,
    /// Key that proposes outputs; none are proposed without it.
    pub proposer_key: Option<PrivateKeySigner>,
    /// L1 seconds between an output and the next.
    pub propose_interval: u64,
}
