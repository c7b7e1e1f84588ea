//! Collects the timed runs of an implementation and computes its figures.

use std::time::Duration;

use anyhow::ensure;

use crate::{
    Bench, EngineReport, Figures,
    clock::Time,
    implementation::{BlockRun, Implementation},
    scaling::computed,
};

/// Name of figures computed from the engine's report for more processors than the machine has.
const COMPUTED: &str = "parallel-computed";

/// A block and its agreed outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MeasuredBlock {
    pub(crate) number: u64,
    pub(crate) transactions: usize,
    pub(crate) agreed: AgreedOutcome,
}

/// The outcome that implementations agree on. Every timed run must repeat it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AgreedOutcome {
    pub(crate) succeeded: usize,
    pub(crate) gas: u64,
}

impl AgreedOutcome {
    pub(crate) fn expect(&self, run: BlockRun) -> anyhow::Result<BlockRun> {
        let Self { succeeded, gas } = *self;
        ensure!(
            run.succeeded == succeeded,
            "expected {succeeded} transactions to succeed, found {}",
            run.succeeded
        );
        ensure!(run.gas == gas, "expected {gas} gas, found {}", run.gas);
        Ok(run)
    }
}

/// The timed runs of one implementation, by block and round.
#[derive(Clone, Debug)]
pub(crate) struct Samples {
    blocks: Vec<Vec<BlockRun>>,
}

impl Samples {
    pub(crate) fn new(blocks: usize) -> Self {
        Self { blocks: vec![Vec::new(); blocks] }
    }

    /// Adds one run of a block.
    pub(crate) fn push(&mut self, block: usize, run: BlockRun) {
        self.blocks[block].push(run);
    }

    /// Figures of the implementation. With more workers than processors, the computed figures
    /// follow.
    pub(crate) fn figures(
        &self,
        workload: &str,
        implementation: &dyn Implementation,
        measured: &[MeasuredBlock],
        processors: usize,
    ) -> Vec<Figures> {
        let workers = implementation.workers();
        let rounds = self.blocks.first().map_or(0, Vec::len);
        let engine = EngineReport::of(self.blocks.iter().flatten(), rounds, processors);
        let row = Figures {
            bench: Bench::Execute,
            workload: workload.to_owned(),
            implementation: implementation.name(),
            is_baseline: implementation.is_baseline(),
            workers,
            transactions: measured.iter().map(|block| block.transactions).sum(),
            gas: measured.iter().map(|block| block.agreed.gas).sum(),
            wall: Duration::ZERO,
            cpu: Duration::ZERO,
            blocks: Vec::new(),
            engine,
        };
        let mut all = vec![self.timed(row.clone(), measured, |run| run.time)];
        if engine.is_some() && workers > processors {
            let row = Figures { implementation: COMPUTED, engine: None, ..row };
            all.push(self.timed(row, measured, |run| Time {
                wall: computed(run, workers, processors),
                ..run.time
            }));
        }
        all
    }

    /// Fills in the times; `time` selects the time of a run.
    fn timed(
        &self,
        row: Figures,
        measured: &[MeasuredBlock],
        time: impl Fn(&BlockRun) -> Time,
    ) -> Figures {
        let times = self.blocks.iter().map(|runs| runs.iter().map(&time).collect());
        let times: Vec<Vec<Time>> = times.collect();
        let blocks = measured.iter().zip(&times).map(|(block, times)| {
            // A block is short, so other load hits some rounds and not others: take the fastest.
            let Time { wall, cpu } = Time::fastest(times);
            Figures {
                workload: format!("{}/{}", row.workload, block.number),
                transactions: block.transactions,
                gas: block.agreed.gas,
                wall,
                cpu,
                engine: None,
                ..row.clone()
            }
        });
        let blocks = if measured.len() > 1 { blocks.collect() } else { Vec::new() };
        let Time { wall, cpu } = Time::median(&Time::sums(&times));
        Figures { wall, cpu, blocks, ..row }
    }
}

#[cfg(test)]
mod tests {
    use turnpike_executor::{LaneReport, SliceReport, StageTimes};

    use super::*;
    use crate::outcome::Outcome;

    /// An implementation with four workers.
    struct FourWorkers;

    impl Implementation for FourWorkers {
        fn name(&self) -> &'static str {
            "parallel"
        }

        fn workers(&self) -> usize {
            4
        }

        fn run(&mut self, _block: usize) -> anyhow::Result<BlockRun> {
            Ok(BlockRun::default())
        }

        fn outcome(&mut self, _block: usize) -> anyhow::Result<Outcome> {
            Ok(Outcome::default())
        }
    }

    /// A run of this many milliseconds, 40 of them in four lanes on two processors.
    fn run(ms: u64) -> BlockRun {
        let of = Duration::from_millis;
        let lane = LaneReport { time: of(40), ..LaneReport::default() };
        let times = StageTimes { execute: of(40), ..StageTimes::default() };
        let slice = SliceReport { lanes: vec![lane; 4], times, ..SliceReport::default() };
        let time = Time { wall: of(ms), cpu: of(ms) };
        BlockRun { time, slices: vec![slice], ..BlockRun::default() }
    }

    fn samples() -> (Samples, [MeasuredBlock; 2]) {
        let mut samples = Samples::new(2);
        for (one, other) in [(100, 70), (90, 60), (110, 50)] {
            samples.push(0, run(one));
            samples.push(1, run(other));
        }
        let agreed = AgreedOutcome { succeeded: 1, gas: 10 };
        (samples, [1, 2].map(|number| MeasuredBlock { number, transactions: 3, agreed }))
    }

    #[test]
    fn figures_sum_blocks_and_take_the_median_of_rounds() {
        let (samples, measured) = samples();
        let all = samples.figures("some", &FourWorkers, &measured, 4);
        let [one] = all.as_slice() else { panic!("nothing is computed with enough processors") };
        assert_eq!((one.transactions, one.gas), (6, 20));
        assert_eq!(one.wall, Duration::from_millis(160), "of 170, 150 and 160");
        let blocks: Vec<_> = one.blocks.iter().map(|block| block.workload.as_str()).collect();
        assert_eq!(blocks, ["some/1", "some/2"]);
        assert_eq!(one.blocks[1].wall, Duration::from_millis(50));
        assert!(one.engine.is_some() && one.blocks[0].engine.is_none());
    }

    #[test]
    fn more_workers_than_processors_add_computed_figures() {
        let (samples, measured) = samples();
        let all = samples.figures("some", &FourWorkers, &measured, 2);
        let names: Vec<_> = all.iter().map(|one| (one.implementation, one.workers)).collect();
        assert_eq!(names, [("parallel", 4), (COMPUTED, 4)]);
        // Each block has 80 ms of work for lanes, which takes four workers 20 instead of 40.
        assert_eq!(all[1].wall, Duration::from_millis(120));
        assert!(all[1].engine.is_none());
    }
}
