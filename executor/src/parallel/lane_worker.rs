//! The resources of one thread that executes a wave's lanes and speculative runs.

use std::time::Instant;

use alloy_primitives::Address;
use turnpike_state::StateView;

use super::{
    engine::Engine, lane::Lane, lock::lock, speculation::Speculation, wave_plan::WavePlan,
};
use crate::{
    BlockContext, BlockTransaction, ChainSpec, ExecutionError, FeeRule,
    block_state::LaneBase,
    profile::StateKey,
    runner::{Runner, TxError},
};

/// Executes lanes and speculative runs on one thread.
pub(super) struct LaneWorker<'a, S: StateView + Copy> {
    engine: &'a Engine,
    pub(super) runner: Runner<LaneBase<'a, S>>,
}

impl<S: StateView + Copy> Drop for LaneWorker<'_, S> {
    /// Returns the hash memo to the engine.
    fn drop(&mut self) {
        let memo = std::mem::take(&mut self.runner.evm.ctx.chain.memo);
        lock(&self.engine.memory).memos.push(memo);
    }
}

impl<S: StateView + Copy> LaneWorker<'_, S> {
    pub(super) fn run<T: BlockTransaction>(
        &mut self,
        lane: &mut Lane<T>,
        wave: &WavePlan,
        missed: &[StateKey],
    ) -> Result<(), ExecutionError<S::Error>> {
        let memory = lock(&self.engine.memory).lanes.pop().unwrap_or_default();
        self.runner.evm.ctx.journaled_state.next_lane(memory);
        lane.run(&mut self.runner, wave, missed)?;
        lane.state = self.runner.evm.ctx.journaled_state.next_lane(Default::default());
        Ok(())
    }

    /// Executes one transaction before its turn.
    pub(super) fn speculate<T: BlockTransaction>(
        &mut self,
        tx: u32,
        transaction: &T,
    ) -> Speculation {
        let start = Instant::now();
        let runner = &mut self.runner;
        runner.evm.ctx.journaled_state.next_lane(Default::default());
        runner.evm.ctx.chain.watched = Some(Vec::new());
        let mut ran =
            runner.run(transaction, u64::MAX).map_err(|stop| matches!(stop, TxError::Skip(_)));
        if matches!(ran, Err(true)) {
            // The transaction may become valid before its turn. If only its nonce is wrong, another
            // run still shows its accesses.
            runner.evm.ctx.cfg.disable_nonce_check = true;
            let again = runner.run(transaction, u64::MAX);
            runner.evm.ctx.cfg.disable_nonce_check = false;
            drop(again);
            ran = Err(true);
        }
        let seen = runner.evm.ctx.chain.watched.take().unwrap_or_default();
        let state = runner.evm.ctx.journaled_state.next_lane(Default::default());
        let ran = ran.ok();
        let gas_used = ran.as_ref().map(|ran| ran.gas_used);
        Speculation { tx, ran, time: start.elapsed(), gas_used, state, seen }
    }
}

/// The state that all lanes of a wave start from.
pub(super) struct WaveStart<'a, S> {
    pub(super) engine: &'a Engine,
    pub(super) spec: &'a ChainSpec,
    pub(super) context: &'a BlockContext,
    pub(super) layer: LaneBase<'a, S>,
}

impl<'a, S> WaveStart<'a, S>
where
    S: StateView + Copy + Send + Sync,
    S::Error: Send + Sync,
{
    /// Whether an account has code.
    pub(super) fn has_code(&self, address: &Address) -> bool {
        let found = { self.layer }.account(address);
        found.is_ok_and(|found| found.is_some_and(|(account, _)| account.has_code()))
    }

    pub(super) fn worker(&self) -> LaneWorker<'a, S> {
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
        LaneWorker { engine, runner }
    }
}
