//! The turnpike command: dev, sequencer, replica, batcher, proposer, challenger, derive, admin, dispute, prove, db, deploy, bridge, genesis, bench, load, conformance, vm.

mod admin;
mod api;
mod bench;
mod bridge;
mod cli;
mod conformance;
mod db;
mod derive;
mod dev;
mod dispute;
mod execution;
mod follow;
mod load;
mod logging;
mod metrics;
mod prove;
mod replica;
mod roles;
mod vm;

use std::process::ExitCode;

use clap::Parser as _;

/// Blocks leave many small things behind at once (logs, above all), which the system's allocator is slow to take back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let log = logging::start();
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
        roles::run(cli.command, log).await
    };
    runtime.block_on(run).unwrap_or_else(|error: anyhow::Error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
