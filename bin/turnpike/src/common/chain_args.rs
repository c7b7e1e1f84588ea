use std::{path::PathBuf, time::Duration};

use clap::Args;
use turnpike_l1::{Archive, L1Endpoints};

/// Flags of the commands that read L1.
#[derive(Debug, Args)]
pub(crate) struct ChainArgs {
    /// The chain's genesis file, deployed.
    #[arg(long, value_name = "FILE")]
    pub(crate) genesis: PathBuf,
    /// L1 endpoint.
    #[arg(long, value_name = "URL", env = "TURNPIKE_L1_URL", hide_env_values = true)]
    pub(crate) l1_url: String,
    /// L1's beacon API, which serves blobs. Without it, blobs are requested from the L1 endpoint.
    #[arg(long, value_name = "URL", env = "TURNPIKE_L1_BEACON_URL", hide_env_values = true)]
    pub(crate) l1_beacon_url: Option<String>,
    /// Folder that keeps batch data once it was read, since L1 serves blobs for some weeks only. Roles may share it. The sequencer,
    /// and a challenger with a key, use one beside their database by default.
    #[arg(long, value_name = "DIR")]
    pub(crate) archive: Option<PathBuf>,
    /// L1 blocks on top of a block before it is used.
    #[arg(long, value_name = "BLOCKS", default_value_t = 2)]
    pub(crate) l1_confirmations: u64,
    /// Milliseconds between looks at L1.
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    pub(crate) l1_poll_ms: u64,
}

impl ChainArgs {
    /// The endpoints of L1, and the archive of what was read from them.
    pub(crate) fn l1(&self) -> L1Endpoints {
        L1Endpoints {
            rpc: self.l1_url.clone(),
            beacon: self.l1_beacon_url.clone(),
            archive: self.archive.clone().map(Archive::new),
        }
    }

    /// Time between looks at L1.
    pub(crate) const fn l1_poll(&self) -> Duration {
        Duration::from_millis(self.l1_poll_ms)
    }
}
