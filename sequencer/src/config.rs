use std::{net::SocketAddr, path::PathBuf, time::Duration};

use alloy::signers::local::PrivateKeySigner;
use turnpike_executor::EngineConfig;
use turnpike_http::HttpLimits;
use turnpike_l1::L1Endpoints;
use turnpike_storage::DatabaseLocation;

use crate::{AdminConfig, PoolLimits, SubmissionRoute};

/// Blocks from one checkpoint of the state to the next, unless told otherwise.
pub const CHECKPOINT_BLOCKS: u64 = 1_000;

/// How a sequencer runs.
#[derive(Clone, Debug)]
pub struct SequencerConfig {
    /// Where REST and JSON-RPC are served.
    pub listen: SocketAddr,
    /// The database.
    pub database: DatabaseLocation,
    /// The folder of the state's checkpoints.
    pub state: PathBuf,
    /// Blocks from one checkpoint to the next: about as many as are run again after a crash.
    pub checkpoint_blocks: u64,
    /// Where L1 is served.
    pub l1: L1Endpoints,
    /// L1 blocks on top of one before it is believed.
    pub l1_confirmations: u64,
    /// How often L1 is asked for news.
    pub l1_poll: Duration,
    /// Time between blocks while there is something to put into them.
    pub block_interval: Duration,
    /// Time after which an empty block is sealed, so that a quiet chain keeps seeing L1.
    pub heartbeat: Duration,
    /// Inbox entries that sealed blocks may wait for; past it no block is sealed and the pool fills.
    pub backlog_entries_max: u64,
    /// What runs blocks, the journal's at the start included.
    pub execution: EngineConfig,
    /// Bounds of the transaction pool.
    pub pool: PoolLimits,
    /// Key that signs preconfirmations; without one they are not signed.
    pub key: Option<PrivateKeySigner>,
    /// What clients may take of the listener.
    pub limits: HttpLimits,
    /// How the node is administered, if it is.
    pub admin: Option<AdminConfig>,
    /// Where transactions go.
    pub submission_route: SubmissionRoute,
}
