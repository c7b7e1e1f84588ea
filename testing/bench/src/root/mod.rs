//! `turnpike bench root`: time of state roots, and memory of a state.

mod content;
mod implementation;
mod memory;

use anyhow::{Context as _, ensure};

use crate::{Bench, Figures, RootArgs, clock::Time, report::Report};
use content::StateContent;
use implementation::{CommitTimes, Contender, rebuild};

/// Measures roots or memory, and prints the figures.
pub fn root(args: &RootArgs) -> anyhow::Result<()> {
    if let Some(count) = args.memory {
        return memory::print(args, count);
    }
    if !args.json {
        println!(
            "{} accounts, {} slots of {} contracts; {} leaves a round, {} % of them new; {} rounds",
            args.accounts, args.slots, args.contracts, args.updates, args.inserts, args.rounds
        );
    }
    let report = Report::new(Bench::Root, args.json);
    let figures = measure_roots(args)?;
    report.print(&figures)?;
    if !args.json {
        print_gains(&figures);
    }
    Ok(())
}

/// Prints the speed-up by more workers for each part of a commit.
fn print_gains(figures: &[Figures]) {
    for one in figures.iter().filter(|one| one.workers == 1) {
        let mut more = figures.iter().filter(|more| more.workers > 1);
        if let Some(more) = more.find(|more| more.implementation == one.implementation) {
            println!(
                "{}: {} workers are {:.2} times as fast as 1; {:.2} by processor time",
                one.implementation,
                more.workers,
                more.ratio(one),
                one.cpu.as_secs_f64() / more.cpu.as_secs_f64(),
            );
        }
    }
}

/// Applies the same changes in every implementation, after a warm-up round. Implementations
/// alternate, figures are medians, and roots and undo diffs must agree after every round.
pub fn measure_roots(args: &RootArgs) -> anyhow::Result<Vec<Figures>> {
    let content = StateContent::new(args)?;
    let state = content.build();
    let mut contenders = Contender::all(&state, args.workers)?;
    drop(state);
    let mut baseline = Vec::new();
    let mut samples: Vec<Vec<CommitTimes>> = vec![Vec::new(); contenders.len()];
    // The first round only warms up.
    for number in 0..=args.rounds {
        let diff = content.diff(number);
        let mut expected = None;
        for (contender, samples) in contenders.iter_mut().zip(&mut samples) {
            let (root, undo, parts) = contender.apply(&diff);
            let (expected_root, expected_undo) = expected.get_or_insert_with(|| {
                let (root, time) = rebuild(contender.flat());
                if number > 0 {
                    baseline.push(time);
                }
                (root, undo.clone())
            });
            ensure!(
                root == *expected_root && undo == *expected_undo,
                "{} on {} workers, round {number}: expected root {expected_root}, found {root}, or other undo diffs",
                contender.name(),
                contender.workers(),
            );
            if number > 0 {
                samples.push(parts);
            }
        }
    }
    let figures = |implementation, is_baseline, workers, samples: &[Time]| {
        let Time { wall, cpu } = Time::median(samples);
        Figures {
            bench: Bench::Root,
            workload: "random-leaves".to_owned(),
            implementation,
            is_baseline,
            workers,
            transactions: args.updates,
            gas: 0,
            wall,
            cpu,
            blocks: Vec::new(),
            engine: None,
        }
    };
    let first = figures("alloy-trie", true, 1, &baseline);
    let others = contenders.iter().zip(&samples).flat_map(|(one, samples)| {
        let workers = one.workers();
        let of = |part: fn(&CommitTimes) -> Time| samples.iter().map(part).collect::<Vec<_>>();
        let tries = of(|parts| parts.commit.without(parts.tables));
        let mut all = vec![figures(one.name(), one.is_baseline(), workers, &tries)];
        if one.is_detected() {
            all.push(figures("turnpike-tables", false, workers, &of(|parts| parts.tables)));
            all.push(figures("turnpike-commit", false, workers, &of(|parts| parts.commit)));
            all.push(figures("turnpike-undo", false, workers, &of(|parts| parts.undo)));
        }
        all
    });
    let figures: Vec<_> = std::iter::once(first).chain(others).collect();
    let nothing = figures.iter().find(|one| one.wall.is_zero());
    nothing
        .is_none()
        .then_some(figures)
        .context("too few updates to measure: a round takes less than the clock's resolution")
}
