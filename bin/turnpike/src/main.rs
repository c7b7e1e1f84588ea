//! The turnpike command: every role of the rollup, and the tools around it. `turnpike --help` lists the subcommands.

mod cli;
mod commands;
mod common;

use std::process::ExitCode;

use clap::Parser as _;
use tokio::runtime::Runtime;

/// Blocks free many small allocations at once, above all logs. The system's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let log = common::start_logging();
    let result = Runtime::new().map_err(Into::into).and_then(|tokio| tokio.block_on(cli.run(log)));
    result.unwrap_or_else(|error: anyhow::Error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
