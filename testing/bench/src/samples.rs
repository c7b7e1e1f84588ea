use std::time::Duration;

use anyhow::ensure;

use crate::{
    Bench, EngineReport, Figures,
    clock::Time,
    implementation::{Implementation, Run},
    scaling::computed,
};

/// How figures are named that are computed from the parallel engine's report, for more processors than there are.
const COMPUTED: &str = "parallel-computed";

/// A block, and what it came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) number: u64,
    pub(crate) transactions: usize,
    pub(crate) agreed: Agreed,
}

/// What implementations agree on, and every timed run has to come to again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agreed {
    pub(crate) succeeded: usize,
    pub(crate) gas: u64,
}

impl Agreed {
    pub(crate) fn expect(&self, run: Run) -> anyhow::Result<Run> {
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
    blocks: Vec<Vec<Run>>,
}

impl Samples {
    pub(crate) fn new(blocks: usize) -> Self {
        Self { blocks: vec![Vec::new(); blocks] }
    }

    /// Adds a round's run of a block.
    pub(crate) fn push(&mut self, block: usize, run: Run) {
        self.blocks[block].push(run);
    }

    /// What the implementation took; and, if it had more workers than there are processors, what it would have taken.
    pub(crate) fn figures(
        &self,
        workload: &str,
        implementation: &dyn Implementation,
        measured: &[Measured],
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

    /// Fills in the times, by what counts as the time of a run.
    fn timed(&self, row: Figures, measured: &[Measured], time: impl Fn(&Run) -> Time) -> Figures {
        let times = self.blocks.iter().map(|runs| runs.iter().map(&time).collect());
        let times: Vec<Vec<Time>> = times.collect();
        let blocks = measured.iter().zip(&times).map(|(block, times)| {
            // A block is soon done: what else runs on the machine hits some and others not.
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

    /// On four workers.
    struct Four;

    impl Implementation for Four {
        fn name(&self) -> &'static str {
            "parallel"
        }

        fn workers(&self) -> usize {
            4
        }

        fn run(&mut self, _block: usize) -> anyhow::Result<Run> {
            Ok(Run::default())
        }

        fn outcome(&mut self, _block: usize) -> anyhow::Result<Outcome> {
            Ok(Outcome::default())
        }
    }

    /// So many milliseconds, 40 of them for four lanes on two processors.
    fn run(ms: u64) -> Run {
        let of = Duration::from_millis;
        let lane = LaneReport { time: of(40), ..LaneReport::default() };
        let times = StageTimes { execute: of(40), ..StageTimes::default() };
        let slice = SliceReport { lanes: vec![lane; 4], times, ..SliceReport::default() };
        let time = Time { wall: of(ms), cpu: of(ms) };
        Run { time, slices: vec![slice], ..Run::default() }
    }

    fn samples() -> (Samples, [Measured; 2]) {
        let mut samples = Samples::new(2);
        for (one, other) in [(100, 70), (90, 60), (110, 50)] {
            samples.push(0, run(one));
            samples.push(1, run(other));
        }
        let agreed = Agreed { succeeded: 1, gas: 10 };
        (samples, [1, 2].map(|number| Measured { number, transactions: 3, agreed }))
    }

    #[test]
    fn blocks_add_up_and_rounds_do_not() {
        let (samples, measured) = samples();
        let all = samples.figures("some", &Four, &measured, 4);
        let [one] = all.as_slice() else { panic!("nothing is computed with enough processors") };
        assert_eq!((one.transactions, one.gas), (6, 20));
        assert_eq!(one.wall, Duration::from_millis(160), "of 170, 150 and 160");
        let blocks: Vec<_> = one.blocks.iter().map(|block| block.workload.as_str()).collect();
        assert_eq!(blocks, ["some/1", "some/2"]);
        assert_eq!(one.blocks[1].wall, Duration::from_millis(50));
        assert!(one.engine.is_some() && one.blocks[0].engine.is_none());
    }

    #[test]
    fn more_workers_than_processors_are_computed_too() {
        let (samples, measured) = samples();
        let all = samples.figures("some", &Four, &measured, 2);
        let names: Vec<_> = all.iter().map(|one| (one.implementation, one.workers)).collect();
        assert_eq!(names, [("parallel", 4), (COMPUTED, 4)]);
        // Each block has 80 ms of work for lanes, which takes four workers 20 instead of 40.
        assert_eq!(all[1].wall, Duration::from_millis(120));
        assert!(all[1].engine.is_none());
    }
}
