//! `turnpike bench`: measures this machine. The benchmarks are in `turnpike-bench`, but for the dispute and the settlement, which
//! play all roles.

mod dispute;
mod settle;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use tokio::task::block_in_place;
use turnpike_bench::{
    AdversaryArgs, DeriveBenchArgs, ExecuteArgs, KzgArgs, ProveArgs, RootArgs, adversary, derive,
    execute, kzg, prove, root, stages,
};

use self::{dispute::DisputeBenchArgs, settle::SettleArgs};

/// Arguments of `turnpike bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// The benchmark; by default all but dispute and settle, which need anvil.
    #[command(subcommand)]
    pub(crate) bench: Option<Bench>,
}

/// What is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Execute transactions on Turnpike's executor and on plain revm, in the same run.
    Execute(ExecuteArgs),
    /// Execute the worst blocks that the rules allow, and follow a chain that posts them as fast as it may.
    Adversary(AdversaryArgs),
    /// Compute state roots on Turnpike's tries and on alloy-trie, in the same run.
    Root(RootArgs),
    /// Measure the other stages on one core: signatures, roots, batches.
    Stages,
    /// Check blobs and make their cell proofs, one after another and as the roles do it, in the same run.
    Kzg(KzgArgs),
    /// Derive and execute token transfers, with signers recovered one by one, in SIMD lanes, and one entry ahead of execution.
    Derive(DeriveBenchArgs),
    /// Count the proof program's instructions, by kind of transaction and for a mixed block.
    Prove(ProveArgs),
    /// Play both sides of a dispute over a block of transfers and swaps, on an anvil with a block a second: gas and time by round.
    Dispute(DisputeBenchArgs),
    /// Run the whole rollup under a steady load until L1 holds every transaction: processor time of each role, rate, time until safe.
    Settle(SettleArgs),
}

/// Runs one benchmark, or all that need no other process.
pub(crate) async fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    match args.bench {
        Some(Bench::Execute(args)) => block_in_place(|| execute(&args)),
        Some(Bench::Adversary(args)) => block_in_place(|| adversary(&args)),
        Some(Bench::Root(args)) => block_in_place(|| root(&args)),
        Some(Bench::Stages) => block_in_place(stages),
        Some(Bench::Kzg(args)) => block_in_place(|| kzg(&args)),
        Some(Bench::Derive(args)) => derive(&args).await,
        Some(Bench::Prove(args)) => block_in_place(|| prove(&args)),
        Some(Bench::Dispute(args)) => dispute::dispute(&args).await,
        Some(Bench::Settle(args)) => settle::settle(&args).await,
        None => match block_in_place(all) {
            Ok(()) => derive(&DeriveBenchArgs::default()).await,
            Err(error) => Err(error),
        },
    }
    .map(|()| ExitCode::SUCCESS)
}

fn all() -> anyhow::Result<()> {
    execute(&ExecuteArgs::default())?;
    println!();
    root(&RootArgs::quick())?;
    println!();
    stages()?;
    println!();
    kzg(&KzgArgs::default())?;
    println!();
    prove(&ProveArgs::default())
}
