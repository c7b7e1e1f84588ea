//! A slice, wave by wave.

use std::time::Instant;

use turnpike_state::StateView;

use super::{
    EngineBlock, SliceReport,
    lane::Lane,
    pace::PROBE,
    partition::Partition,
    plan::{Planner, Wave},
    run::Start,
    workers::Panicked,
};
use crate::{BlockTransaction, ExecutionError, FeeRule, SpecId, journal::Layer, runner::Runner};

/// How transactions from the front of a slice are to run.
enum Next {
    InOrder(usize),
    InLanes(Wave),
}

impl<S, T> EngineBlock<'_, S, T>
where
    S: StateView + Copy + Send + Sync,
    S::Error: Send + Sync,
    T: BlockTransaction + Clone + Send + Sync,
{
    pub(super) fn run_slice(
        &mut self,
        transactions: Vec<T>,
        report: &mut SliceReport,
    ) -> Result<(), ExecutionError<S::Error>> {
        let mut rest = transactions.into_iter();
        while !rest.as_slice().is_empty() {
            match self.next(rest.as_slice(), report)? {
                Next::InOrder(len) => self.run_in_order(rest.by_ref().take(len), report)?,
                Next::InLanes(wave) => {
                    let start = Instant::now();
                    let lanes = distribute(&wave.partition, rest.by_ref().take(wave.len()));
                    report.times.partition += start.elapsed();
                    match self.run_wave(&wave, lanes, report)? {
                        Ok(()) => self.pace.was_worth_it(),
                        Err(lanes) => {
                            self.pace.was_not_worth_it();
                            self.run_in_order(collect(lanes), report)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn run_in_order(
        &mut self,
        transactions: impl IntoIterator<Item = T>,
        report: &mut SliceReport,
    ) -> Result<(), ExecutionError<S::Error>> {
        let start = Instant::now();
        self.absorb_pending()?;
        self.main.execute_all(transactions)?;
        report.times.sequential += start.elapsed();
        Ok(())
    }

    /// Decides how the next transactions run.
    fn next(
        &mut self,
        rest: &[T],
        report: &mut SliceReport,
    ) -> Result<Next, ExecutionError<S::Error>> {
        if !self.in_lanes
            || rest.len() < self.engine.config.grain.transactions_from
            || !self.fees_commute()?
        {
            return Ok(Next::InOrder(rest.len()));
        }
        let paced = self.pace.take(rest.len());
        if paced > 0 {
            return Ok(Next::InOrder(paced));
        }
        let first = &rest[..rest.len().min(PROBE)];
        self.absorb_pending()?;
        match self.plan(rest, report) {
            Ok(Some(wave)) => Ok(Next::InLanes(wave)),
            Ok(None) => {
                self.pace.was_not_worth_it();
                Ok(Next::InOrder(first.len()))
            }
            Err(Panicked) => {
                self.engine.counters.count_panic();
                Ok(Next::InOrder(rest.len()))
            }
        }
    }

    /// Plans a wave from the front of `rest`; `None` if lanes are not worth it. Looks at the first few transactions by
    /// themselves, since to look at all of them for nothing would cost too much.
    fn plan(&mut self, rest: &[T], report: &mut SliceReport) -> Result<Option<Wave>, Panicked> {
        let gas = self.gas_remaining();
        let Self { engine, spec, context, state, main, .. } = self;
        let Runner { evm, profiles: Some(profiles), .. } = &mut main.runner else {
            return Ok(None);
        };
        let layer = Layer::new(&evm.ctx.journaled_state, *state);
        let start = Start { engine, spec, context, layer };
        let mut planner = Planner::new(start, profiles, rest);
        let wave = planner.plan(gas);
        report.times.predict += planner.times.predict;
        report.times.partition += planner.times.partition;
        wave
    }

    /// Whether what transactions pay in fees can be added up in any order. It can not where paying nothing makes a
    /// difference: to an account that is empty, or that does not exist and would by the rules of old.
    fn fees_commute(&self) -> Result<bool, ExecutionError<S::Error>> {
        if self.spec.fees == FeeRule::Vaults {
            return Ok(true);
        }
        let mut layer = Layer::new(&self.main.runner.evm.ctx.journaled_state, self.state);
        let found = layer.account(&self.context.header.beneficiary);
        Ok(match found.map_err(ExecutionError::State)? {
            Some((account, _)) => !account.is_empty(),
            None => self.spec.fork.is_enabled_in(SpecId::SPURIOUS_DRAGON),
        })
    }
}

/// Gives each lane its transactions, in order.
fn distribute<T>(partition: &Partition, transactions: impl Iterator<Item = T>) -> Vec<Lane<T>> {
    let mut counts = vec![0; partition.lanes.len()];
    partition.lane_of.iter().for_each(|lane| counts[usize::from(*lane)] += 1);
    let with_room = |count: &usize| (Vec::with_capacity(*count), Vec::with_capacity(*count));
    let mut lanes: Vec<(Vec<u32>, Vec<T>)> = counts.iter().map(with_room).collect();
    for ((number, lane), tx) in (0..).zip(&partition.lane_of).zip(transactions) {
        let (numbers, transactions) = &mut lanes[usize::from(*lane)];
        numbers.push(number);
        transactions.push(tx);
    }
    lanes.into_iter().map(|(numbers, transactions)| Lane::new(numbers, transactions)).collect()
}

/// Takes lanes apart: their transactions, in order.
pub(super) fn collect<T>(lanes: Vec<Lane<T>>) -> Vec<T> {
    let mut all: Vec<(u32, T)> = lanes.into_iter().flat_map(Lane::into_transactions).collect();
    all.sort_unstable_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, tx)| tx).collect()
}
