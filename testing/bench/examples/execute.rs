//! Runs `turnpike bench execute` alone, which builds in half the time of the whole binary.

use clap::Parser as _;

/// The same allocator as the binary's.
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
