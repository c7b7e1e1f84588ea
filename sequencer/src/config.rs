use std::{net::SocketAddr, path::PathBuf, time::Duration};

use turnpike_executor::EngineConfig;
use turnpike_l1::L1Endpoints;

use crate::PoolLimits;

/// How a sequencer runs.
#[derive(Clone, Debug)]
pub struct SequencerConfig {
    /// Where REST and JSON-RPC are served.
    pub listen: SocketAddr,
    /// The database file.
    pub database: PathBuf,
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
    /// Longest request body, in bytes.
    pub body_bytes_max: usize,
    /// Demonstration only: falsify the state from the first block with a transaction on.
    pub lie: bool,
}

impl SequencerConfig {
    /// The folder of the state's checkpoints, beside the database.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.database.with_extension("state")
    }
}
