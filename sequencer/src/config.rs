//! The sequencer's configuration.

use std::{path::PathBuf, time::Duration};

use alloy::signers::local::PrivateKeySigner;
use turnpike_executor::EngineConfig;
use turnpike_l1::L1Endpoints;
use turnpike_storage::DatabaseLocation;

use crate::{PoolLimits, SubmissionRoute};

/// Default number of blocks between checkpoints.
pub const CHECKPOINT_BLOCKS: u64 = 1_000;

/// Default for [`SequencerConfig::origin_step`]: a slot of Ethereum.
pub const ORIGIN_STEP: u64 = 12;

/// Limits of the blocks that L1 does not hold yet. Beyond either no block is opened, and the pool
/// fills up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BacklogLimits {
    /// Bytes that they take on L1, as far as the compression of posted batches tells.
    pub bytes_max: u64,
    /// Age of the oldest one, in seconds of L1.
    pub seconds_max: u64,
}

impl BacklogLimits {
    /// The limits of a node that opens no blocks: all come from L1.
    pub const NO_BLOCKS: Self = Self { bytes_max: 0, seconds_max: 0 };
}

impl Default for BacklogLimits {
    fn default() -> Self {
        Self { bytes_max: 64 * 1024 * 1024, seconds_max: 900 }
    }
}

/// Configuration of a sequencer.
#[derive(Clone, Debug)]
pub struct SequencerConfig {
    /// The database.
    pub database: DatabaseLocation,
    /// The directory of state checkpoints.
    pub state: PathBuf,
    /// Blocks between checkpoints. A restart after a crash executes about this many blocks again.
    pub checkpoint_blocks: u64,
    /// L1's endpoints.
    pub l1: L1Endpoints,
    /// Confirmations before an L1 block is used.
    pub l1_confirmations: u64,
    /// Interval between polls of L1.
    pub l1_poll: Duration,
    /// Interval between blocks while there are transactions.
    pub block_interval: Duration,
    /// Interval after which an empty block is sealed, so that an idle chain follows L1.
    pub heartbeat: Duration,
    /// Seconds of L1 that blocks keep their origin, at least.
    pub origin_step: u64,
    /// Limits of the blocks that L1 does not hold yet.
    pub backlog: BacklogLimits,
    /// The engine that executes blocks, also those of the journal at the start.
    pub execution: EngineConfig,
    /// Limits of the pool.
    pub pool: PoolLimits,
    /// The key that signs preconfirmations. Without it they are unsigned.
    pub key: Option<PrivateKeySigner>,
    /// The route of submitted transactions.
    pub submission_route: SubmissionRoute,
}
