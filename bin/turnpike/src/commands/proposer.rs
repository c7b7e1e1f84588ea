//! `turnpike proposer`.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use turnpike_proposer::ProposerConfig;

use crate::common::{ChainArgs, ExecutionArgs, Key, read_genesis, stop_on_signal};

/// Arguments of `turnpike proposer`.
#[derive(Debug, Args)]
pub(crate) struct ProposerArgs {
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    /// Key that proposes; its account pays the bonds.
    #[arg(long, env = "TURNPIKE_PROPOSER_KEY", hide_env_values = true)]
    pub(crate) key: Key,
    /// L1 seconds between outputs.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) propose_interval: u64,
    /// Withdraw the bonds of outputs that became final, or that were void because their parent was rejected.
    #[arg(long)]
    pub(crate) withdraw_bonds: bool,
}

/// Runs a proposer until a signal stops it.
pub(crate) async fn run(args: ProposerArgs) -> anyhow::Result<ExitCode> {
    let genesis = read_genesis(&args.chain.genesis)?;
    let config = ProposerConfig {
        l1: args.chain.l1(),
        l1_confirmations: args.chain.l1_confirmations,
        poll: args.chain.l1_poll(),
        execution: args.execution.into(),
        key: args.key.signer().context("--key")?,
        interval: args.propose_interval,
        withdraw_bonds: args.withdraw_bonds,
    };
    turnpike_proposer::run(&genesis, config, stop_on_signal()?).await?;
    Ok(ExitCode::SUCCESS)
}
