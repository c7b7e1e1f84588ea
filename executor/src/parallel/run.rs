//! A wave: lanes run, are compared, run again where they touched each other, and are put together.

use std::{
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use alloy_primitives::{Address, U256};
use turnpike_state::{StateDiff, StateView};

use super::{
    Engine, EngineBlock, LaneReport, SliceReport,
    conflicts::{Conflict, find_conflicts},
    counters::Fallback,
    lane::{Lane, Missed, take_apart},
    lock,
    plan::Wave,
};
#[cfg(feature = "faults")]
use crate::faults::{self, Fault};
use crate::{
    BlockContext, BlockTransaction, ChainSpec, ExecutionError, FeeRule, Skipped,
    block_state::{Amounts, LaneState, Layer},
    included::{LaneNumber, NO_LANE},
    profile::{Call, Key},
    runner::Runner,
};

/// Times that lanes run before what does not come out clean is left to the reference executor.
const ROUNDS_MAX: usize = 4;

/// Keys that made lanes run again, of which it is found out who touched them: at most.
const MISSED_KEYS_MAX: usize = 16;

/// Accounts that the block's block state changed are looked for in the lanes if they are so few, else the other way round.
const FEW_ACCOUNTS: usize = 16;

/// How a wave ended.
pub(super) enum WaveEnd<T> {
    /// It is part of the block; its transactions would have taken so long one after the other.
    Done(Duration),
    /// Nothing came of it: the lanes' transactions have to run one after the other.
    Failed(Vec<Lane<T>>),
}

/// What a worker runs lanes with.
pub(super) struct Worker<'a, S: StateView + Copy> {
    engine: &'a Engine,
    pub(super) runner: Runner<Layer<'a, S>>,
}

impl<S: StateView + Copy> Drop for Worker<'_, S> {
    /// Leaves the hashes to the next.
    fn drop(&mut self) {
        let memo = std::mem::take(&mut self.runner.evm.ctx.chain.memo);
        lock(&self.engine.memory).memos.push(memo);
    }
}

impl<S: StateView + Copy> Worker<'_, S> {
    fn run<T: BlockTransaction>(
        &mut self,
        lane: &mut Lane<T>,
        wave: &Wave,
        missed: &[Key],
    ) -> Result<(), ExecutionError<S::Error>> {
        let memory = lock(&self.engine.memory).lanes.pop().unwrap_or_default();
        self.runner.evm.ctx.journaled_state.next_lane(memory);
        lane.run(&mut self.runner, wave, missed)?;
        lane.state = self.runner.evm.ctx.journaled_state.next_lane(Default::default());
        Ok(())
    }
}

/// What lanes start from.
pub(super) struct Start<'a, S> {
    pub(super) engine: &'a Engine,
    pub(super) spec: &'a ChainSpec,
    pub(super) context: &'a BlockContext,
    pub(super) layer: Layer<'a, S>,
}

impl<'a, S> Start<'a, S>
where
    S: StateView + Copy + Send + Sync,
    S::Error: Send + Sync,
{
    /// Runs lanes until none touched what another changed. `merged` tells in which lane each lane ended up.
    fn run_rounds<T: BlockTransaction + Send>(
        &self,
        wave: &Wave,
        lanes: &[Mutex<Lane<T>>],
        merged: &mut [LaneNumber],
        report: &mut SliceReport,
    ) -> Result<(), Fallback> {
        let workers = &self.engine.workers;
        let mut waiting: Vec<usize> = (0..lanes.len()).collect();
        // What made lanes run again: whoever touches that and was not expected to is the one who missed.
        let mut missed: Vec<Key> = Vec::new();
        for _ in 0..ROUNDS_MAX {
            report.rounds += 1;
            let start = Instant::now();
            let results = workers.map(
                waiting.len(),
                || self.worker(),
                |worker, at| worker.run(&mut lock(&lanes[waiting[at]]), wave, &missed).is_ok(),
            );
            report.times.execute += start.elapsed();
            let is_fine = results.map_err(|_| Fallback::Panic)?.into_iter().all(|is_ok| is_ok);
            if !is_fine {
                return Err(Fallback::Error);
            }
            let start = Instant::now();
            let held: Vec<MutexGuard<'_, Lane<T>>> = lanes.iter().map(lock).collect();
            let states: Vec<&LaneState> = held.iter().map(|lane| &lane.state).collect();
            let found = workers.map(
                states.len(),
                || (),
                |(), lane| {
                    let lane = LaneNumber::try_from(lane).expect("invariant: lanes are numbered");
                    find_conflicts(&wave.chunks, &wave.partition, merged, &states, lane)
                },
            );
            drop(states);
            let conflicts = found.map_err(|_| Fallback::Panic)?.concat();
            report.times.check += start.elapsed();
            if conflicts.is_empty() {
                return Ok(());
            }
            missed = conflicts.iter().map(|conflict| conflict.key).take(MISSED_KEYS_MAX).collect();
            waiting = join(held, merged, &conflicts);
            report.conflicts += waiting.len();
            tracing::debug!(lanes = waiting.len(), "lanes conflict, executing them again");
        }
        Err(Fallback::Rounds)
    }

    /// Whether an account has code.
    pub(super) fn has_code(&self, address: &Address) -> bool {
        let found = { self.layer }.account(address);
        found.is_ok_and(|found| found.is_some_and(|(account, _)| account.has_code()))
    }

    pub(super) fn worker(&self) -> Worker<'a, S> {
        let engine = self.engine;
        let Ok(mut runner) = Runner::new(self.spec, self.context, self.layer) else {
            unreachable!("invariant: the block is open, so its fork is known");
        };
        let block_state = &mut runner.evm.ctx.journaled_state;
        if self.spec.fees == FeeRule::Beneficiary {
            block_state.set_credit_recipients(&[self.context.header.beneficiary]);
        }
        block_state.enter_lane();
        runner.evm.ctx.chain.memo = lock(&engine.memory).memos.pop().unwrap_or_default();
        Worker { engine, runner }
    }
}

impl<S, T> EngineBlock<'_, S, T>
where
    S: StateView + Copy + Send + Sync,
    S::Error: Send + Sync,
    T: BlockTransaction + Clone + Send + Sync,
{
    /// Runs a wave's lanes and takes over what comes of them.
    pub(super) fn run_wave(
        &mut self,
        wave: &Wave,
        lanes: Vec<Lane<T>>,
        report: &mut SliceReport,
    ) -> Result<WaveEnd<T>, ExecutionError<S::Error>> {
        assert!(self.pending.is_empty(), "invariant: a wave starts from the block's block_state");
        let lanes: Vec<_> = lanes.into_iter().map(Mutex::new).collect();
        let mut order: Vec<LaneNumber> = (0..).take(lanes.len()).collect();
        let result = self.start().run_rounds(wave, &lanes, &mut order, report);
        let into_inner =
            |lane: Mutex<Lane<T>>| lane.into_inner().unwrap_or_else(|e| e.into_inner());
        let lanes: Vec<Lane<T>> = lanes.into_iter().map(into_inner).collect();
        match result.and_then(|()| self.credits(&lanes)) {
            Ok(credits) => {
                let start = Instant::now();
                let in_order = lanes.iter().map(|lane| lane.time).sum();
                self.merge(wave, lanes, &order, &credits, report)?;
                report.times.merge += start.elapsed();
                Ok(WaveEnd::Done(in_order))
            }
            Err(reason) => {
                self.engine.counters.count_fallback(reason, wave.len());
                Ok(WaveEnd::Failed(lanes))
            }
        }
    }

    pub(super) fn start(&self) -> Start<'_, S> {
        let Self { engine, spec, context, .. } = self;
        let layer = Layer::new(&self.main.runner.evm.ctx.journaled_state, self.state);
        Start { engine, spec, context, layer }
    }

    /// What the lanes pay in fees, all together.
    fn credits(&self, lanes: &[Lane<T>]) -> Result<Amounts, Fallback> {
        let mut sums = Amounts::default();
        #[cfg(feature = "faults")]
        let lanes = &lanes[usize::from(faults::is(Fault::FeesForgotten))..];
        for lane in lanes.iter().filter(|lane| lane.len() > 0) {
            let amounts = lane.state.credits().ok_or(Fallback::Order)?;
            for (sum, amount) in sums.iter_mut().zip(amounts) {
                *sum = sum.saturating_add(*amount);
            }
        }
        if self.spec.fees == FeeRule::Beneficiary {
            let found = self.start().layer.account(&self.context.header.beneficiary);
            let found = found.map_err(|_| Fallback::Error)?;
            let balance = found.map_or(U256::ZERO, |(account, _)| account.balance);
            balance.checked_add(sums[0]).ok_or(Fallback::Order)?;
        }
        Ok(sums)
    }

    /// Makes the lanes a part of the block.
    fn merge(
        &mut self,
        wave: &Wave,
        lanes: Vec<Lane<T>>,
        merged: &[LaneNumber],
        credits: &Amounts,
        report: &mut SliceReport,
    ) -> Result<(), ExecutionError<S::Error>> {
        let beneficiary = self.beneficiary();
        self.learn_from_misses(&lanes, report);
        let block_state = &mut self.main.runner.evm.ctx.journaled_state;
        block_state.absorb_credits(credits, beneficiary)?;
        let lane_of = wave.partition.lane_of.iter();
        let mut order: Vec<_> = lane_of.map(|lane| merged[usize::from(*lane)]).collect();
        let (mut included, mut skipped) = (Vec::with_capacity(lanes.len()), Vec::new());
        let first = self.main.offered();
        let mut gas_used = 0;
        for lane in lanes {
            gas_used += lane.gas_used;
            report.reused += lane.reused;
            if lane.len() > 0 {
                let (transactions, gas, time) = (lane.len(), lane.gas_used, lane.time);
                report.lanes.push(LaneReport { transactions, gas, time });
            }
            for (number, tx, reason) in lane.skipped {
                order[number as usize] = NO_LANE;
                skipped.push(Skipped { index: first + number as usize, hash: tx.hash(), reason });
            }
            included.push(lane.included);
            self.pending.push(lane.state);
        }
        skipped.sort_unstable_by_key(|skipped| skipped.index);
        self.main.include_lanes(included, order, skipped, gas_used);
        report.in_lanes += wave.len();
        Ok(())
    }

    /// Has profiles forget what was wrong in them.
    fn learn_from_misses(&mut self, lanes: &[Lane<T>], report: &mut SliceReport) {
        let Self { engine, spec, context, state, main, .. } = self;
        let Runner { evm, profiles: Some(profiles), .. } = &mut main.runner else { return };
        let layer = Layer::new(&evm.ctx.journaled_state, *state);
        let start = Start { engine, spec, context, layer };
        for Missed { caller, to, data } in lanes.iter().flat_map(|lane| &lane.missed) {
            report.misses += 1;
            let call = Call { caller: *caller, to: *to, data };
            profiles.miss(call, |address| start.has_code(address));
        }
    }

    /// Has the block's block state take over what is pending.
    pub(super) fn absorb_pending(&mut self) -> Result<(), ExecutionError<S::Error>> {
        let block_state = &mut self.main.runner.evm.ctx.journaled_state;
        for lane in self.pending.drain() {
            block_state.absorb(&lane)?;
            lock(&self.engine.memory).lanes.push(lane.into_memory());
        }
        Ok(())
    }

    /// What is pending, as changes next to those of the block's block state. Has the block state take it over if both changed
    /// the same account.
    pub(super) fn overlays(&mut self) -> Result<Vec<StateDiff>, ExecutionError<S::Error>> {
        let Self { engine, main, pending, .. } = self;
        let block_state = &main.runner.evm.ctx.journaled_state;
        let few: Vec<&Address> = block_state.changed_accounts().take(FEW_ACCOUNTS + 1).collect();
        let is_shared = if few.len() <= FEW_ACCOUNTS {
            few.iter().any(|address| pending.lanes().iter().any(|lane| lane.changes(address)))
        } else {
            let lanes = pending.lanes();
            let is_shared = |(): &mut (), at: usize| {
                lanes[at].changed_accounts().any(|address| block_state.changes(address))
            };
            let found = engine.workers.map(lanes.len(), || (), is_shared);
            found.map_or(true, |found| found.into_iter().any(|is_shared| is_shared))
        };
        if is_shared {
            self.absorb_pending()?;
        }
        let lanes: Vec<_> = self.pending.lanes_mut().iter_mut().map(Mutex::new).collect();
        let diffs = self.engine.workers.map(lanes.len(), || (), |(), at| lock(&lanes[at]).diff());
        drop(lanes);
        #[cfg(feature = "faults")]
        let diffs = diffs.map(|diffs| faults::without_last(Fault::OverlayForgotten, diffs));
        match diffs {
            Ok(diffs) => Ok(diffs),
            Err(_) => {
                self.absorb_pending()?;
                Ok(Vec::new())
            }
        }
    }
}

/// Makes one lane of those that have to run as one: the first of them gets all transactions, the others none. Returns
/// those that have to run again.
fn join<T>(
    mut lanes: Vec<MutexGuard<'_, Lane<T>>>,
    merged: &mut [LaneNumber],
    conflicts: &[Conflict],
) -> Vec<usize> {
    let mut into: Vec<LaneNumber> = (0..).take(lanes.len()).collect();
    for Conflict { lanes: (one, other), .. } in conflicts {
        let (one, other) = (into[usize::from(*one)], into[usize::from(*other)]);
        if one == other {
            continue;
        }
        let (low, high) = (one.min(other), one.max(other));
        into.iter_mut().filter(|lane| **lane == high).for_each(|lane| *lane = low);
    }
    merged.iter_mut().for_each(|lane| *lane = into[usize::from(*lane)]);
    let mut waiting = Vec::new();
    for first in 0..lanes.len() {
        let members: Vec<usize> =
            (0..lanes.len()).filter(|lane| usize::from(into[*lane]) == first).collect();
        if members.len() < 2 {
            continue;
        }
        let transactions =
            take_apart(members.iter().map(|lane| std::mem::take(&mut *lanes[*lane])));
        #[cfg(feature = "faults")]
        let transactions: Vec<_> = match faults::is(Fault::JoinBackwards) {
            true => transactions.into_iter().rev().collect(),
            false => transactions,
        };
        let (numbers, transactions) = transactions.into_iter().unzip();
        *lanes[first] = Lane::new(numbers, transactions);
        waiting.push(first);
    }
    waiting
}
