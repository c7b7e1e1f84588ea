//! Executes a slice of a block, wave by wave.

use std::time::Instant;

use turnpike_state::StateView;

use super::{
    block::EngineBlock,
    lane::{Lane, into_slice_order},
    lane_worker::WaveStart,
    lock::lock,
    partition::Partition,
    planner::{Planner, SlicePlan},
    report::SliceReport,
    speculation::{Speculation, find_speculation},
    wave::WaveOutcome,
    workers::Panicked,
};
use crate::{BlockHashes, BlockTransaction, ExecutionError, block_state::LaneBase, runner::Runner};

impl<S, T> EngineBlock<'_, S, T>
where
    S: StateView + Copy + Send + Sync,
    S::Error: Send + Sync,
    T: BlockTransaction + Clone + Send + Sync,
{
    /// Executes transactions on the state so far, with the outcome of executing them sequentially.
    /// A transaction that is invalid at its turn is skipped and changes nothing. A deposit is never
    /// skipped. If it fails, the caller must drop the block.
    pub fn execute_slice(&mut self, transactions: Vec<T>) -> Result<(), ExecutionError<S::Error>> {
        if let Some(reference) = &mut self.reference {
            reference.execute_all(transactions.iter().cloned())?;
        }
        let mut report = SliceReport { transactions: transactions.len(), ..SliceReport::default() };
        self.run_slice(transactions, &mut report)?;
        if let BlockHashes::Deferred(parent) = &self.context.hashes
            && parent.is_abandoned()
        {
            return Err(ExecutionError::ParentAbandoned);
        }
        lock(&self.engine.speculation_budget).note(report.speculated, report.reused);
        self.engine.counters.count_slice(&report);
        self.slices.push(report);
        Ok(())
    }

    /// Executes all transactions of a slice, wave by wave.
    fn run_slice(
        &mut self,
        transactions: Vec<T>,
        report: &mut SliceReport,
    ) -> Result<(), ExecutionError<S::Error>> {
        let mut rest = transactions.into_iter();
        while !rest.as_slice().is_empty() {
            match self.next(rest.as_slice(), report)? {
                SlicePlan::Sequential { len, speculations, planning_was_wasted } => {
                    if planning_was_wasted {
                        lock(&self.engine.backoff).lanes_did_not_pay();
                    }
                    self.run_in_order(rest.by_ref().take(len), &speculations, report)?;
                    self.keep(speculations, len);
                }
                SlicePlan::Lanes(wave) => {
                    let before = report.times.in_lanes();
                    let start = Instant::now();
                    let lanes = distribute(&wave.partition, rest.by_ref().take(wave.len()));
                    report.times.partition += start.elapsed();
                    let ran = self.run_wave(&wave, lanes, report)?;
                    let spent = wave.planned_in + (report.times.in_lanes() - before);
                    let mut backoff = lock(&self.engine.backoff);
                    match &ran {
                        WaveOutcome::Done(in_order) if *in_order >= spent => backoff.lanes_paid(),
                        _ => backoff.lanes_did_not_pay(),
                    }
                    drop(backoff);
                    if let WaveOutcome::Failed(lanes) = ran {
                        let transactions = into_slice_order(lanes).into_iter().map(|(_, tx)| tx);
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

    /// Keeps the speculative runs of transactions after the first `gone` ones.
    fn keep(&mut self, speculations: Vec<Speculation>, gone: usize) {
        let gone = u32::try_from(gone).expect("invariant: slice positions fit 32 bits");
        self.speculations = speculations.into_iter().filter_map(|run| run.outdated(gone)).collect();
    }

    /// Executes transactions sequentially. A speculative run replaces an execution if its state is
    /// still current.
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
                let ran = match find_speculation(speculations, number) {
                    Some(run) if self.main.takes(&tx) => {
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
    ) -> Result<SlicePlan, ExecutionError<S::Error>> {
        let kept = std::mem::take(&mut self.speculations);
        let in_order = |len, speculations| SlicePlan::Sequential {
            len,
            speculations,
            planning_was_wasted: false,
        };
        let transactions_from = self.engine.config.grain.transactions_from;
        if !self.in_lanes || rest.len() < transactions_from || !self.fees_commute()? {
            return Ok(in_order(rest.len(), kept));
        }
        let paced = lock(&self.engine.backoff).take(rest.len());
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
    ) -> Result<SlicePlan, Panicked> {
        let gas = self.main.gas_before_full();
        let Self { engine, spec, context, state, main, .. } = self;
        let Runner { evm, profiles, .. } = &mut main.runner;
        let profiles = profiles.get_or_insert_default();
        let layer = LaneBase::new(&evm.ctx.journaled_state, *state);
        let start = WaveStart { engine, spec, context, layer };
        Planner::new(start, profiles, rest, kept, gas, report).plan()
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
