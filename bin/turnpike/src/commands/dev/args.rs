use std::path::PathBuf;

use clap::Args;
use turnpike_adversary::Attack;

use crate::{commands::batcher::DataArg, common::ExecutionArgs};

/// Arguments of `turnpike dev`.
#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Folder that keeps the chain; `.turnpike/dev` by default, `.turnpike/liar` with --liar.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Start over: delete the chain of an earlier run.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Run an adversary, so that the challenger has something to challenge. `state`, the default, falsifies the sequencer's state. All
    /// others propose a single false output of a true chain: receipt, deposit, signature, decompression, precompile, middle, exit,
    /// step, children, silence, last-second, many, puppet. Always starts over.
    #[arg(long, value_name = "KIND", num_args = 0..=1, default_missing_value = "state")]
    pub(crate) liar: Option<Attack>,
    /// Port of the L2's JSON-RPC and REST on loopback; 0 takes a free one.
    #[arg(long, default_value_t = 9545)]
    pub(crate) port: u16,
    /// Port of the L1 (anvil) on loopback; 0 takes a free one.
    #[arg(long, default_value_t = 8545)]
    pub(crate) l1_port: u16,
    /// Use this L1 instead of starting one.
    #[arg(long, value_name = "URL", conflicts_with = "l1_port")]
    pub(crate) l1_url: Option<String>,
    /// Seconds between L1 blocks; with 0, mine them by hand (`cast rpc anvil_mine`).
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    pub(crate) l1_block_time: u64,
    /// Milliseconds between L2 blocks while transactions wait.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    pub(crate) block_interval_ms: u64,
    /// Where batches go on L1. A restarted anvil keeps calldata, but not blobs.
    #[arg(long, value_name = "KIND", value_enum, default_value_t = DataArg::Calldata)]
    pub(crate) data_kind: DataArg,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    /// Print the banner and all events as JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
}
