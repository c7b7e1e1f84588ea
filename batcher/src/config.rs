use std::time::Duration;

use alloy::signers::local::PrivateKeySigner;
use turnpike_l1::L1Endpoints;
use turnpike_storage::DatabaseLocation;

/// Configuration of a batcher.
#[derive(Clone, Debug)]
pub struct BatcherConfig {
    /// Endpoints of L1.
    pub l1: L1Endpoints,
    /// L1 blocks on top of an entry before its batch is confirmed.
    pub l1_confirmations: u64,
    /// Time between two steps.
    pub poll: Duration,
    /// The sequencer's database, opened read-only.
    pub journal: DatabaseLocation,
    /// The batcher's own database.
    pub database: DatabaseLocation,
    /// Key of the only account that may append batches to the inbox.
    pub key: PrivateKeySigner,
    /// When, where and at which price batches are posted.
    pub posting: PostingConfig,
}

/// Where batch data is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataMode {
    /// In calldata or blobs, whichever is cheaper.
    Auto,
    /// In calldata, unless a block is too large for it.
    Calldata,
    /// In blobs.
    Blobs,
}

/// When, where and at which price batches are posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostingConfig {
    /// Where batch data is posted.
    pub data: DataMode,
    /// Longest time that a sealed block waits for others to share its batch, in seconds.
    pub latency_max: u64,
    /// Longest time that a sealed block waits while other batches are in flight, if that is more,
    /// in seconds. Under load, it makes batches that fill their blobs.
    pub latency_in_flight_max: u64,
    /// A batch that fills this many blobs is posted earlier.
    pub target_blobs: u64,
    /// Highest bid per gas, in wei.
    pub max_fee_per_gas: u128,
    /// Highest bid per blob gas, in wei.
    pub max_fee_per_blob_gas: u128,
    /// L1 blocks after which a pending transaction is replaced by one that pays more.
    pub bump_blocks: u64,
    /// How much cheaper the other data kind has to be for a switch, in percent.
    pub switch_margin_percent: u64,
    /// Consecutive L1 blocks in which it has to be cheaper.
    pub switch_blocks: u32,
    /// L1 blocks on top of an entry before its batch is confirmed and its data dropped.
    pub confirmations: u64,
    /// Most transactions in flight.
    pub in_flight_max: usize,
}

impl Default for PostingConfig {
    fn default() -> Self {
        const GWEI: u128 = 1_000_000_000;
        Self {
            data: DataMode::Auto,
            latency_max: 60,
            latency_in_flight_max: 0,
            target_blobs: 6,
            max_fee_per_gas: 100 * GWEI,
            max_fee_per_blob_gas: 100 * GWEI,
            bump_blocks: 4,
            switch_margin_percent: 20,
            switch_blocks: 3,
            confirmations: 64,
            in_flight_max: 8,
        }
    }
}
