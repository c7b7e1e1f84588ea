//! The turnpike command: dev, sequencer, batcher, proposer, challenger, derive, dispute, prove, deploy, bridge, genesis, bench, conformance, vm.

mod bench;
mod bridge;
mod cli;
mod conformance;
mod derive;
mod dev;
mod dispute;
mod execution;
mod follow;
mod metrics;
mod prove;
mod roles;
mod vm;

use std::{io::IsTerminal as _, process::ExitCode};

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

/// Blocks leave many small things behind at once (logs, above all), which the system's allocator is slow to take back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Our own words only: a library's may hold an endpoint's URL, and with it a key.
const LOG_DEFAULT: &str = "off,turnpike=info,turnpike_sequencer=info,turnpike_batcher=info,turnpike_derivation=info,turnpike_executor=info,turnpike_fraud_proof=info,turnpike_l1=info,turnpike_liar=info,turnpike_proposer=info,turnpike_storage=info";

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let filter =
        EnvFilter::try_from_env("TURNPIKE_LOG").unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .compact()
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let run = async {
        if let Some(address) = cli.metrics {
            metrics::serve(address).await?;
        }
        roles::run(cli.command).await
    };
    runtime.block_on(run).unwrap_or_else(|error: anyhow::Error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
