//! The sequencer's configuration.

use std::{path::PathBuf, time::Duration};

use alloy::signers::local::PrivateKeySigner;
use turnpike_executor::EngineConfig;
use turnpike_l1::L1Endpoints;
use turnpike_storage::DatabaseLocation;

use crate::{PoolLimits, SubmissionRoute};

/// Default number of blocks between checkpoints.
pub const CHECKPOINT_BLOCKS: u64 = 1_000;

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
    /// Inbox entries that unposted blocks may need. Beyond it no block is sealed, and the pool
    /// fills up.
    pub backlog_entries_max: u64,
    /// The engine that executes blocks, also those of the journal at the start.
    pub execution: EngineConfig,
    /// Limits of the pool.
    pub pool: PoolLimits,
    /// The key that signs preconfirmations. Without it they are unsigned.
    pub key: Option<PrivateKeySigner>,
    /// The route of submitted transactions.
    pub submission_route: SubmissionRoute,
}
