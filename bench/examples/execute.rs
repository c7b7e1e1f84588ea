//! `turnpike bench execute` without the rest of the command: builds in half the time.

use clap::Parser as _;

#[derive(Debug, clap::Parser)]
struct Cli {
    #[command(flatten)]
    args: turnpike_bench::ExecuteArgs,
}

fn main() -> anyhow::Result<()> {
    turnpike_bench::execute(&Cli::parse().args)
}
