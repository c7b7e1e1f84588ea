use anyhow::{Context as _, ensure};

use crate::{
    Bench, ExecuteArgs, Figures, Kind,
    clock::Time,
    implementation::{Implementation, Round, all},
    report::Report,
    terms::Terms,
};

/// A lean baseline this much slower than the reference is not to be believed, or the machine is not.
const SLOWER_MAX: f64 = 1.25;

/// The baseline that the references are of.
const LEAN: &str = "revm-cachedb";

/// Runs the workloads asked for through every implementation and prints what they took.
pub fn execute(args: &ExecuteArgs) -> anyhow::Result<()> {
    let report = Report::new(Bench::Execute, args.json);
    for kind in args.kinds() {
        let figures = measure(kind, args.transactions, args.rounds)
            .with_context(|| format!("workload {}", kind.name))?;
        report.print(&figures)?;
        warn_if_slow(kind, &figures);
    }
    Ok(())
}

/// One workload through every implementation: warmed up, interleaved, medians of `rounds`.
pub fn measure(
    kind: &Kind,
    transactions: Option<usize>,
    rounds: usize,
) -> anyhow::Result<Vec<Figures>> {
    let terms = Terms::new();
    let workload = kind.prepare(transactions)?;
    let mut implementations = all(&terms, &workload);
    let gas = agree(&mut implementations)?;
    let count = workload.transactions.len();
    let mut samples: Vec<Vec<Time>> = vec![Vec::new(); implementations.len()];
    // The first round only warms up.
    for number in 0..=rounds {
        for (implementation, samples) in implementations.iter_mut().zip(&mut samples) {
            let name = implementation.name();
            let Round { time, succeeded, gas: used } =
                implementation.round().with_context(|| name)?;
            ensure!(succeeded == count, "{name}: {succeeded} of {count} transactions succeed");
            ensure!(used == gas, "{name}: expected {gas} gas, found {used}");
            if number > 0 {
                samples.push(time);
            }
        }
    }
    let figures = implementations.iter().zip(&samples).map(|(implementation, samples)| {
        let Time { wall, cpu } = Time::median(samples);
        Figures {
            bench: Bench::Execute,
            workload: kind.name,
            implementation: implementation.name(),
            is_baseline: implementation.is_baseline(),
            workers: implementation.workers(),
            transactions: count,
            gas,
            wall,
            cpu,
        }
    });
    Ok(figures.collect())
}

/// Has every implementation run the block and compares all that comes of it; returns the gas used.
fn agree(implementations: &mut [Box<dyn Implementation + '_>]) -> anyhow::Result<u64> {
    let mut reference = None;
    for implementation in implementations {
        let name = implementation.name();
        let outcome = implementation.outcome().with_context(|| name)?;
        if let Some(index) = outcome.transactions.iter().position(|tx| !tx.succeeded) {
            anyhow::bail!("{name}: transaction {index} fails: {:?}", outcome.transactions[index]);
        }
        match &reference {
            None => reference = Some(outcome),
            Some(reference) => {
                reference.expect_same(&outcome).with_context(|| format!("{name} disagrees"))?;
            }
        }
    }
    Ok(reference.context("no implementation")?.gas())
}

/// Warns of a baseline that is too slow to compare with: everything looks fast next to it.
fn warn_if_slow(kind: &Kind, figures: &[Figures]) {
    let (Some(reference), Some(lean)) =
        (kind.reference_us_per_tx, figures.iter().find(|one| one.implementation == LEAN))
    else {
        return;
    };
    let found = lean.us_per_tx();
    if found > reference * SLOWER_MAX {
        eprintln!(
            "warning: {}: {} takes {found:.2} us/tx, {:.0} % more than the reference of {reference:.2}: a loaded machine, or a poor baseline",
            kind.name,
            lean.implementation,
            (found / reference - 1.0) * 100.0,
        );
    }
}
