//! `turnpike bench`.

use turnpike_bench::{ExecuteArgs, ProveArgs, RootArgs, execute, prove, root, stages};

use crate::cli::Bench;

/// Runs one of the benchmarks, or all of them.
pub(crate) fn run(bench: Option<Bench>) -> anyhow::Result<()> {
    match bench {
        Some(Bench::Execute(args)) => execute(&args),
        Some(Bench::Root(args)) => root(&args),
        Some(Bench::Stages) => stages(),
        Some(Bench::Prove(args)) => prove(&args),
        None => {
            execute(&ExecuteArgs::default())?;
            println!();
            root(&RootArgs::quick())?;
            println!();
            stages()?;
            println!();
            prove(&ProveArgs::default())
        }
    }
}
