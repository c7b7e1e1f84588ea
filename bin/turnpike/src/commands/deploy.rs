//! `turnpike deploy`.

use std::{path::PathBuf, process::ExitCode};

use alloy_primitives::Address;
use anyhow::Context as _;
use clap::Args;

use crate::common::{Key, genesis_output, read_genesis, to_json, write_genesis};

/// Arguments of `turnpike deploy`.
#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// The chain's genesis file, not yet deployed (see `turnpike genesis`).
    #[arg(long, value_name = "FILE")]
    pub(crate) genesis: PathBuf,
    /// L1 endpoint.
    #[arg(long, value_name = "URL", env = "TURNPIKE_L1_URL", hide_env_values = true)]
    pub(crate) l1_url: String,
    /// Key that deploys. It has no rights afterwards.
    #[arg(long, env = "TURNPIKE_DEPLOYER_KEY", hide_env_values = true)]
    pub(crate) key: Key,
    /// Account that may append to the inbox.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) batcher: Address,
    /// Account that signs preconfirmations. Without it, the sequencer may sign with any key, or not at all.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) sequencer: Option<Address>,
    /// Write the deployed genesis file here.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Deploys the contracts, writes the deployed genesis file and prints the addresses.
pub(crate) async fn run(args: DeployArgs) -> anyhow::Result<ExitCode> {
    let mut genesis = read_genesis(&args.genesis)?;
    genesis.sequencer = args.sequencer.or(genesis.sequencer);
    let genesis = turnpike_l1::deploy(
        &args.l1_url,
        args.key.signer().context("--key")?,
        args.batcher,
        genesis,
        genesis_output,
    )
    .await?;
    write_genesis(&args.out, &genesis)?;
    println!("{}", to_json(&genesis.l1)?);
    Ok(ExitCode::SUCCESS)
}
