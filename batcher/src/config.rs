use std::time::Duration;

use alloy::signers::local::PrivateKeySigner;
use turnpike_l1::L1Endpoints;
use turnpike_storage::DatabaseLocation;

/// How a batcher runs.
#[derive(Clone, Debug)]
pub struct BatcherConfig {
    /// Where L1 is served.
    pub l1: L1Endpoints,
    /// L1 blocks on top of one before it is believed.
    pub l1_confirmations: u64,
    /// How often L1 and the journal are looked at.
    pub poll: Duration,
    /// The sequencer's database, read only.
    pub journal: DatabaseLocation,
    /// The batcher's own database.
    pub database: DatabaseLocation,
    /// Key of the only account that may append to the inbox.
    pub key: PrivateKeySigner,
    /// When, how and for how much batches are posted.
    pub posting: PostingConfig,
}

/// Where batches go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataMode {
    /// Where it is cheaper.
    Auto,
    /// Into calldata, unless a block is too large for it.
    Calldata,
    /// Into blobs.
    Blobs,
}

/// When, how and for how much batches are posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostingConfig {
    /// Where batches go.
    pub data: DataMode,
    /// Seconds that a sealed block waits for others to share its batch, at most.
    pub latency_max: u64,
    /// Blobs that make a batch large enough to be posted before that.
    pub target_blobs: u64,
    /// Most that is offered per gas, in wei.
    pub max_fee_per_gas: u128,
    /// Most that is offered per blob gas, in wei.
    pub max_fee_per_blob_gas: u128,
    /// L1 blocks that a transaction may wait before it is replaced by one that pays more.
    pub bump_blocks: u64,
    /// How much cheaper, in percent, blobs have to be than calldata, or calldata than blobs, for a switch.
    pub switch_margin_percent: u64,
    /// L1 blocks in a row in which they have to be.
    pub switch_blocks: u32,
    /// L1 blocks on top of an entry before its batch is confirmed and its data is dropped.
    pub confirmations: u64,
}

impl Default for PostingConfig {
    fn default() -> Self {
        const GWEI: u128 = 1_000_000_000;
        Self {
            data: DataMode::Auto,
            latency_max: 60,
            target_blobs: 6,
            max_fee_per_gas: 100 * GWEI,
            max_fee_per_blob_gas: 100 * GWEI,
            bump_blocks: 4,
            switch_margin_percent: 20,
            switch_blocks: 3,
            confirmations: 64,
        }
    }
}
