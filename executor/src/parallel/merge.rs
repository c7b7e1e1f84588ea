//! Merges the lanes of a wave into the block: fees, transactions, and changes.
//!
//! The last wave's changes stay pending. The block state absorbs them before the next transaction
//! needs them, or they end up as overlays beside the block's own diff.

use std::sync::Mutex;

use alloy_primitives::{Address, U256};
use turnpike_state::{StateDiff, StateView};

use super::{
    block::EngineBlock,
    counters::Fallback,
    lane::{Lane, MispredictedCall},
    lane_worker::WaveStart,
    lock::lock,
    report::{LaneReport, SliceReport},
    wave_plan::WavePlan,
};
#[cfg(feature = "faults")]
use crate::faults::{self, Fault};
use crate::{
    BlockTransaction, ExecutionError, FeeRule, Skipped,
    block_state::{FeeAmounts, LaneBase},
    included::{LaneNumber, NO_LANE},
    profile::Call,
    room::Used,
    runner::Runner,
};

/// If the block changed at most this many accounts, the lanes are searched for them. Otherwise the
/// block is searched for the lanes' accounts.
const FEW_ACCOUNTS: usize = 16;

impl<S, T> EngineBlock<'_, S, T>
where
    S: StateView + Copy + Send + Sync,
    S::Error: Send + Sync,
    T: BlockTransaction + Clone + Send + Sync,
{
    /// Fees that all lanes paid, by recipient.
    pub(super) fn credits(&self, lanes: &[Lane<T>]) -> Result<FeeAmounts, Fallback> {
        let mut sums = FeeAmounts::default();
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

    /// Adds the lanes' transactions to the block and keeps their changes as pending.
    pub(super) fn merge(
        &mut self,
        wave: &WavePlan,
        lanes: Vec<Lane<T>>,
        merged: &[LaneNumber],
        credits: &FeeAmounts,
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
        let mut used = Used::default();
        for lane in lanes {
            used.add(lane.used);
            report.reused += lane.reused;
            if lane.len() > 0 {
                let (transactions, gas, time) = (lane.len(), lane.used.all.gas, lane.time);
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
        self.main.include_lanes(included, order, skipped, used);
        report.in_lanes += wave.len();
        Ok(())
    }

    /// Reports mispredicted calls to the profiles.
    fn learn_from_misses(&mut self, lanes: &[Lane<T>], report: &mut SliceReport) {
        let Self { engine, spec, context, state, main, .. } = self;
        let Runner { evm, profiles: Some(profiles), .. } = &mut main.runner else { return };
        let layer = LaneBase::new(&evm.ctx.journaled_state, *state);
        let start = WaveStart { engine, spec, context, layer };
        for MispredictedCall { caller, to, data } in lanes.iter().flat_map(|lane| &lane.missed) {
            report.misses += 1;
            let call = Call { caller: *caller, to: *to, data };
            profiles.miss(call, |address| start.has_code(address));
        }
    }

    /// Lets the block state absorb all pending lanes.
    pub(super) fn absorb_pending(&mut self) -> Result<(), ExecutionError<S::Error>> {
        let block_state = &mut self.main.runner.evm.ctx.journaled_state;
        for lane in self.pending.drain() {
            block_state.absorb(&lane)?;
            lock(&self.engine.memory).lanes.push(lane.into_memory());
        }
        Ok(())
    }

    /// The pending lanes' changes, as diffs beside that of the block state. If a lane and the block
    /// changed the same account, the block state absorbs the lanes instead.
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
