//! How long a new state root takes, and how much memory a state takes.

mod content;
mod implementation;
mod memory;

use anyhow::{Context as _, ensure};

use crate::{
    Bench, Figures, RootArgs,
    clock::{Time, longest},
    report::Report,
};
use content::Content;
use implementation::{Contender, rebuild};

pub use memory::Part;

/// Measures new roots, or what a state takes, and prints it.
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
    let of = |more: bool| {
        let mut turnpike = figures.iter().filter(|one| one.implementation == Contender::NAME);
        turnpike.find(|one| (one.workers > 1) == more)
    };
    if let (false, Some(one), Some(more)) = (args.json, of(false), of(true)) {
        println!(
            "{} workers are {:.2} times as fast as 1; {:.2} by processor time",
            more.workers,
            more.ratio(one),
            one.cpu.as_secs_f64() / more.cpu.as_secs_f64(),
        );
    }
    Ok(())
}

/// The same changes through every implementation: warmed up, interleaved, medians; roots must agree after every round.
pub fn measure_roots(args: &RootArgs) -> anyhow::Result<Vec<Figures>> {
    let content = Content::new(args)?;
    let state = content.build();
    // What the tables alone take is measured on tables of their own.
    let mut flat = state.flat().clone();
    let mut contenders = Contender::all(&state, args.workers)?;
    drop(state);
    let mut baseline = Vec::new();
    let mut samples: Vec<Vec<Time>> = vec![Vec::new(); contenders.len()];
    // The first round only warms up.
    for number in 0..=args.rounds {
        let diff = content.diff(number);
        let ((), tables) = longest(None, || flat.apply(&diff));
        let (expected, time) = rebuild(&flat);
        if number > 0 {
            baseline.push(time);
        }
        for (contender, samples) in contenders.iter_mut().zip(&mut samples) {
            let (found, time) = contender.apply(&diff);
            ensure!(
                found == expected,
                "{} on {} workers, round {number}: expected root {expected}, found {found}",
                contender.name(),
                contender.workers(),
            );
            if number > 0 {
                samples.push(time.without(tables));
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
    let others = contenders
        .iter()
        .zip(&samples)
        .map(|(one, samples)| figures(one.name(), one.is_baseline(), one.workers(), samples));
    let figures: Vec<_> = std::iter::once(first).chain(others).collect();
    let nothing = figures.iter().find(|one| one.wall.is_zero());
    nothing
        .is_none()
        .then_some(figures)
        .context("too few updates to measure: a round takes no time")
}
