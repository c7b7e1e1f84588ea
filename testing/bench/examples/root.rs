//! `turnpike bench root` without the rest of the command: builds in half the time.

use clap::Parser as _;

/// The command's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, clap::Parser)]
struct Cli {
    #[command(flatten)]
    args: turnpike_bench::RootArgs,
}

fn main() -> anyhow::Result<()> {
    turnpike_bench::root(&Cli::parse().args)
}
