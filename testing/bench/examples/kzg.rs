//! Runs `turnpike bench kzg` alone, which builds in half the time of the whole binary.

use clap::Parser as _;

/// The same allocator as the binary's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, clap::Parser)]
struct Cli {
    #[command(flatten)]
    args: turnpike_bench::KzgArgs,
}

fn main() -> anyhow::Result<()> {
    turnpike_bench::kzg(&Cli::parse().args)
}
