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
