//! `turnpike bench execute` without the rest of the command: builds in half the time.

use clap::Parser as _;

/// The command's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, clap::Parser)]
struct Cli {
    #[command(flatten)]
    args: turnpike_bench::ExecuteArgs,
}

fn main() -> anyhow::Result<()> {
    turnpike_bench::execute(&Cli::parse().args)
}
