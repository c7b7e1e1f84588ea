//! Flags that several subcommands share.

use std::path::PathBuf;

use alloy_primitives::{B256, Bytes};
use clap::Args;

use crate::common::Key;

#[derive(Debug, Args)]
pub(super) struct EndpointArgs {
    /// The chain's genesis file, deployed.
    #[arg(long, value_name = "FILE", env = "TURNPIKE_GENESIS")]
    pub(super) genesis: PathBuf,
    /// L1 endpoint.
    #[arg(long, value_name = "URL", env = "TURNPIKE_L1_URL", hide_env_values = true)]
    pub(super) l1_url: String,
    /// L1's beacon API, which serves blobs. Without it, blobs are requested from the L1 endpoint.
    /// Only used with --from-l1.
    #[arg(long, value_name = "URL", env = "TURNPIKE_L1_BEACON_URL", hide_env_values = true)]
    pub(super) l1_beacon_url: Option<String>,
    /// L2 endpoint.
    #[arg(long, value_name = "URL", env = "TURNPIKE_L2_URL", hide_env_values = true)]
    pub(super) l2_url: Option<String>,
    /// Milliseconds between checks while waiting.
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    pub(super) poll_ms: u64,
    /// Print JSON lines.
    #[arg(long)]
    pub(super) json: bool,
}

/// The call on L2 that a deposit makes.
#[derive(Debug, Args)]
pub(super) struct L2CallArgs {
    /// L2 gas of the call, paid in L1 gas.
    #[arg(long, value_name = "GAS")]
    pub(super) gas_limit: Option<u64>,
    /// Data of the call on L2.
    #[arg(long, value_name = "HEX", default_value = "0x")]
    pub(super) data: Bytes,
}

/// Which withdrawal, and where to look for it.
#[derive(Debug, Args)]
pub(super) struct WithdrawalArgs {
    /// The withdrawal's L2 transaction, or the L1 transaction that forced it.
    #[arg(value_name = "TX")]
    pub(super) transaction: B256,
    /// The place of the message among the transaction's messages to L1, from 0.
    #[arg(long, value_name = "INDEX")]
    pub(super) index: Option<usize>,
    /// Use no L2 node: derive and execute the chain here, from L1 and the genesis file alone.
    #[arg(long)]
    pub(super) from_l1: bool,
    /// L1 blocks on top of a block before --from-l1 uses it.
    #[arg(long, value_name = "BLOCKS", default_value_t = 0)]
    pub(super) l1_confirmations: u64,
}

/// A withdrawal's second or third step.
#[derive(Debug, Args)]
pub(super) struct StepArgs {
    #[command(flatten)]
    pub(super) endpoints: EndpointArgs,
    #[command(flatten)]
    pub(super) withdrawal: WithdrawalArgs,
    /// Key of the account that pays L1 gas.
    #[arg(long, env = "TURNPIKE_KEY", hide_env_values = true)]
    pub(super) key: Key,
    /// Wait until the step is possible.
    #[arg(long)]
    pub(super) wait: bool,
}
