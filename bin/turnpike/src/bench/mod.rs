//! `turnpike bench`.

mod dispute;

use tokio::task::block_in_place;
use turnpike_bench::{ExecuteArgs, ProveArgs, RootArgs, execute, prove, root, stages};

pub(crate) use self::dispute::DisputeBenchArgs;
use crate::cli::Bench;

/// Runs one of the benchmarks, or all that need nothing but this process.
pub(crate) async fn run(bench: Option<Bench>) -> anyhow::Result<()> {
    match bench {
        Some(Bench::Execute(args)) => block_in_place(|| execute(&args)),
        Some(Bench::Root(args)) => block_in_place(|| root(&args)),
        Some(Bench::Stages) => block_in_place(stages),
        Some(Bench::Prove(args)) => block_in_place(|| prove(&args)),
        Some(Bench::Dispute(args)) => dispute::dispute(&args).await,
        None => block_in_place(all),
    }
}

fn all() -> anyhow::Result<()> {
    execute(&ExecuteArgs::default())?;
    println!();
    root(&RootArgs::quick())?;
    println!();
    stages()?;
    println!();
    prove(&ProveArgs::default())
}
