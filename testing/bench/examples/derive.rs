//! Runs `turnpike bench derive` alone.

use clap::Parser as _;

/// The same allocator as the binary's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, clap::Parser)]
struct Cli {
    #[command(flatten)]
    args: turnpike_bench::DeriveBenchArgs,
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    runtime.block_on(turnpike_bench::derive(&Cli::parse().args))
}
