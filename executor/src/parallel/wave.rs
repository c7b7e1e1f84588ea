//! A slice, wave by wave.

use std::time::Instant;

use alloy_primitives::Address;
use turnpike_state::StateView;

use super::{
    EngineBlock, SliceReport,
    lane::{Lane, take_apart},
    lock,
    partition::Partition,
    plan::{Plan, Planner, find},
    run::{Start, WaveEnd},
    speculate::Speculation,
    workers::Panicked,
};
use crate::{
    BlockTransaction, ExecutionError, FeeRule, SpecId, block_state::Layer, runner::Runner,
};

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
                Plan::InOrder { len, speculations, was_futile } => {
                    if was_futile {
                        lock(&self.engine.pace).was_not_worth_it();
                    }
                    self.run_in_order(rest.by_ref().take(len), &speculations, report)?;
                    self.keep(speculations, len);
                }
                Plan::InLanes(wave) => {
                    let before = report.times.in_lanes();
                    let start = Instant::now();
                    let lanes = distribute(&wave.partition, rest.by_ref().take(wave.len()));
                    report.times.partition += start.elapsed();
                    let ran = self.run_wave(&wave, lanes, report)?;
                    let taken = wave.planned_in + (report.times.in_lanes() - before);
                    let mut pace = lock(&self.engine.pace);
                    match &ran {
                        WaveEnd::Done(in_order) if *in_order >= taken => pace.was_worth_it(),
                        _ => pace.was_not_worth_it(),
                    }
                    drop(pace);
                    if let WaveEnd::Failed(lanes) = ran {
                        let transactions = take_apart(lanes).into_iter().map(|(_, tx)| tx);
                        self.run_in_order(transactions, &[], report)?;
                    }
                    let len = wave.len();
                    self.keep(wave.speculations, len);
                }
            }
        }
        self.speculations.clear();
        Ok(())
    }

    /// Keeps runs of transactions that come after the first `gone`.
    fn keep(&mut self, speculations: Vec<Speculation>, gone: usize) {
        let gone = u32::try_from(gone).expect("invariant: a slice is numbered");
        self.speculations = speculations.into_iter().filter_map(|run| run.outdated(gone)).collect();
    }

    /// Runs transactions one after the other. Those that ran by themselves before, on the state that is current now, may
    /// not have to run again.
    fn run_in_order(
        &mut self,
        transactions: impl IntoIterator<Item = T>,
        speculations: &[Speculation],
        report: &mut SliceReport,
    ) -> Result<(), ExecutionError<S::Error>> {
        let start = Instant::now();
        self.absorb_pending()?;
        if !speculations.iter().any(Speculation::is_current) {
            self.main.execute_all(transactions)?;
        } else {
            let beneficiary = self.beneficiary();
            for (number, tx) in (0..).zip(transactions) {
                let ran = match find(speculations, number) {
                    Some(run) if tx.gas_limit() <= self.main.gas_remaining() => {
                        let ran = run.adopt(&mut self.main.runner, beneficiary)?;
                        report.reused += usize::from(ran.is_some());
                        ran
                    }
                    _ => None,
                };
                match ran {
                    Some(ran) => self.main.include(tx, ran),
                    None => self.main.execute(tx)?,
                }
            }
        }
        report.times.sequential += start.elapsed();
        Ok(())
    }

    /// Decides how the next transactions run.
    fn next(
        &mut self,
        rest: &[T],
        report: &mut SliceReport,
    ) -> Result<Plan, ExecutionError<S::Error>> {
        let kept = std::mem::take(&mut self.speculations);
        let in_order = |len, speculations| Plan::InOrder { len, speculations, was_futile: false };
        let transactions_from = self.engine.config.grain.transactions_from;
        if !self.in_lanes || rest.len() < transactions_from || !self.fees_commute()? {
            return Ok(in_order(rest.len(), kept));
        }
        let paced = lock(&self.engine.pace).take(rest.len());
        if paced > 0 {
            return Ok(in_order(paced, kept));
        }
        self.absorb_pending()?;
        Ok(self.plan(rest, kept, report).unwrap_or_else(|Panicked| {
            self.engine.counters.count_panic();
            in_order(rest.len(), Vec::new())
        }))
    }

    /// Plans a wave from the front of `rest`.
    fn plan(
        &mut self,
        rest: &[T],
        kept: Vec<Speculation>,
        report: &mut SliceReport,
    ) -> Result<Plan, Panicked> {
        let gas = self.main.gas_remaining();
        let Self { engine, spec, context, state, main, .. } = self;
        let Runner { evm, profiles, .. } = &mut main.runner;
        let profiles = profiles.get_or_insert_default();
        let layer = Layer::new(&evm.ctx.journaled_state, *state);
        let start = Start { engine, spec, context, layer };
        Planner::new(start, profiles, rest, kept, gas, report).plan()
    }

    /// Whom fees go to at once, if that is so.
    pub(super) fn beneficiary(&self) -> Option<Address> {
        (self.spec.fees == FeeRule::Beneficiary).then_some(self.context.header.beneficiary)
    }

    /// Whether what transactions pay in fees can be added up in any order. It can not where paying nothing makes a
    /// difference: to an account that is empty, or that does not exist and would by the rules of old.
    fn fees_commute(&self) -> Result<bool, ExecutionError<S::Error>> {
        if self.spec.fees == FeeRule::Vaults {
            return Ok(true);
        }
        let found = self.start().layer.account(&self.context.header.beneficiary);
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
