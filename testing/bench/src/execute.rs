//! `turnpike bench execute`: runs workloads through every implementation and compares outcomes and
//! times.

use std::thread::available_parallelism;

use anyhow::Context as _;
use turnpike_executor::BlockTransaction;

use crate::{
    Bench, BenchBlock, ExecuteArgs, Figures, Workload, WorkloadKind,
    implementation::{Implementation, Prepared, all},
    outcome::Outcome,
    report::Report,
    samples::{AgreedOutcome, MeasuredBlock, Samples},
};

/// A lean baseline slower than its reference by this factor gets a warning.
const SLOWER_MAX: f64 = 1.25;

/// The baseline that has reference times.
const LEAN: &str = "revm-cachedb";

/// Runs the selected workloads through every implementation and prints their times.
pub fn execute(args: &ExecuteArgs) -> anyhow::Result<()> {
    let report = Report::new(Bench::Execute, args.json).with_stages(args.stages);
    for kind in args.kinds() {
        let figures = measure(kind, args).with_context(|| format!("workload {}", kind.name))?;
        if args.blocks {
            for block in 0..figures.first().map_or(0, |one| one.blocks.len()) {
                let block = figures.iter().map(|one| one.blocks[block].clone());
                report.print(&block.collect::<Vec<_>>())?;
            }
        }
        report.print(&figures)?;
        warn_if_slow(kind, &figures);
    }
    Ok(())
}

/// Measures one workload with every implementation, after a warm-up round. Implementations
/// alternate block by block, and the figures are medians over the rounds.
pub fn measure(kind: &WorkloadKind, args: &ExecuteArgs) -> anyhow::Result<Vec<Figures>> {
    match kind.prepare(args.transactions, args.test_data.as_deref())? {
        Workload::Made(block) => measure_blocks(kind, &[*block], args, all_succeed),
        Workload::Real(blocks) => measure_blocks(kind, &blocks, args, |_| Ok(())),
    }
}

fn measure_blocks<T: BlockTransaction + Clone + Send + Sync>(
    kind: &WorkloadKind,
    blocks: &[BenchBlock<T>],
    args: &ExecuteArgs,
    check: fn(&Outcome) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Figures>> {
    let prepared: Vec<_> = blocks.iter().map(Prepared::new).collect::<anyhow::Result<_>>()?;
    let mut implementations = all(&prepared, &args.workers());
    let mut measured = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let agreed = agree(&mut implementations, index, check)
            .with_context(|| format!("block {}", block.number))?;
        let transactions = block.transactions.len();
        measured.push(MeasuredBlock { number: block.number, transactions, agreed });
    }
    let mut samples = vec![Samples::new(blocks.len()); implementations.len()];
    // The first round only warms up.
    for round in 0..=args.rounds {
        for (index, block) in measured.iter().enumerate() {
            for (implementation, samples) in implementations.iter_mut().zip(&mut samples) {
                let run = implementation.run(index);
                let run = run.and_then(|run| block.agreed.expect(run)).with_context(|| {
                    format!("{} in block {}", implementation.name(), block.number)
                })?;
                if round > 0 {
                    samples.push(index, run);
                }
            }
        }
    }
    let processors = available_parallelism().map_or(1, usize::from);
    let figures = implementations.iter().zip(&samples).flat_map(|(implementation, samples)| {
        samples.figures(kind.name, &**implementation, &measured, processors)
    });
    Ok(figures.collect())
}

/// Runs a block with every implementation and compares the outcomes.
fn agree(
    implementations: &mut [Box<dyn Implementation + '_>],
    block: usize,
    check: fn(&Outcome) -> anyhow::Result<()>,
) -> anyhow::Result<AgreedOutcome> {
    let mut reference = None;
    for implementation in implementations {
        let name = implementation.name();
        let outcome = implementation.outcome(block).with_context(|| name)?;
        check(&outcome).with_context(|| name)?;
        match &reference {
            None => reference = Some(outcome),
            Some(reference) => {
                reference.expect_same(&outcome).with_context(|| format!("{name} disagrees"))?;
            }
        }
    }
    let reference = reference.context("no implementation")?;
    Ok(AgreedOutcome { succeeded: reference.succeeded(), gas: reference.gas() })
}

fn all_succeed(outcome: &Outcome) -> anyhow::Result<()> {
    match outcome.transactions.iter().position(|tx| !tx.succeeded) {
        None => Ok(()),
        Some(index) => {
            anyhow::bail!("transaction {index} fails: {:?}", outcome.transactions[index])
        }
    }
}

/// Warns if the baseline is too slow to compare with: ratios to it would be too high.
fn warn_if_slow(kind: &WorkloadKind, figures: &[Figures]) {
    let (Some(reference), Some(lean)) =
        (kind.reference_us_per_tx, figures.iter().find(|one| one.implementation == LEAN))
    else {
        return;
    };
    let found = lean.us_per_tx();
    if found > reference * SLOWER_MAX {
        eprintln!(
            "warning: {}: {} takes {found:.2} us/tx, {:.0} % more than the reference of {reference:.2}: the machine is loaded, or the baseline is built badly",
            kind.name,
            lean.implementation,
            (found / reference - 1.0) * 100.0,
        );
    }
}
