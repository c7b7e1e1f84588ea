//! The open block: the state that it runs on, its transactions so far, and the reports of its
//! slices.

use std::sync::Arc;

use alloy_primitives::Address;
use turnpike_state::StateView;

use super::{
    config::Mode, engine::Engine, lane_worker::WaveStart, lock::lock, pending_lanes::PendingLanes,
    report::SliceReport, speculation::Speculation,
};
use crate::{
    BlockContext, BlockExecutor, BlockTransaction, BlockTx, ChainSpec, ExecutedTx, ExecutionError,
    FeeRule, SpecId, block_state::LaneBase,
};

impl Engine {
    /// Opens a block on a state. Records the parent's hash where the chain keeps it (EIP-2935).
    pub fn open<S, T>(
        &self,
        spec: &ChainSpec,
        context: &BlockContext,
        state: S,
    ) -> Result<EngineBlock<'_, S, T>, ExecutionError<S::Error>>
    where
        S: StateView + Copy + Send + Sync,
        T: BlockTransaction + Clone + Send + Sync,
    {
        let mode = self.mode();
        let workspace = std::mem::take(&mut lock(&self.memory).block);
        let main = BlockExecutor::open_in(workspace, spec, context, state)?;
        let reference = match mode {
            Mode::Shadow => {
                let workspace = std::mem::take(&mut lock(&self.memory).reference);
                Some(BlockExecutor::open_in(workspace, spec, context, state)?)
            }
            Mode::Sequential | Mode::Parallel => None,
        };
        Ok(EngineBlock {
            engine: self,
            spec: spec.clone(),
            context: context.clone(),
            state,
            in_lanes: mode != Mode::Sequential && self.workers() > 1,
            main,
            pending: PendingLanes::default(),
            speculations: Vec::new(),
            reference,
            slices: Vec::new(),
            completed: Vec::new(),
            skipped_reported: 0,
            matches_reference: true,
        })
    }
}

/// A block that the engine is executing.
#[allow(missing_debug_implementations)] // revm's EVM has none worth reading
pub struct EngineBlock<'a, S: StateView, T = BlockTx> {
    pub(super) engine: &'a Engine,
    pub(super) spec: ChainSpec,
    pub(super) context: BlockContext,
    pub(super) state: S,
    /// Whether transactions may run in lanes.
    pub(super) in_lanes: bool,
    /// The block so far, without the pending lanes.
    pub(super) main: BlockExecutor<S, T>,
    /// Lanes of the last wave whose changes `main` has not absorbed.
    pub(super) pending: PendingLanes,
    /// Speculative runs of later transactions of this slice.
    pub(super) speculations: Vec<Speculation>,
    /// In shadow mode, the same block on the reference executor.
    pub(super) reference: Option<BlockExecutor<S, T>>,
    pub(super) slices: Vec<SliceReport>,
    /// Transactions that [`Self::take_executed`] has handed out, with complete receipts.
    pub(super) completed: Vec<Arc<ExecutedTx>>,
    /// How many skipped transactions have been handed out.
    pub(super) skipped_reported: usize,
    /// In shadow mode, whether everything handed out so far equals the reference executor's
    /// outcome.
    pub(super) matches_reference: bool,
}

impl<S, T> EngineBlock<'_, S, T>
where
    S: StateView + Copy + Send + Sync,
    S::Error: Send + Sync,
    T: BlockTransaction + Clone + Send + Sync,
{
    /// Gas that the block has left.
    pub fn gas_remaining(&self) -> u64 {
        self.reference.as_ref().unwrap_or(&self.main).gas_remaining()
    }

    /// Gas limits that transactions may have together so that each has its turn, whatever they use:
    /// the gas that the block has left, or less if it lacks work.
    pub fn gas_limits(&self) -> u64 {
        self.reference.as_ref().unwrap_or(&self.main).gas_limits()
    }

    /// From now on, the block will not hold the transactions that it skips, and is not charged for
    /// them.
    pub fn leave_out_skipped(&mut self) {
        self.main.leave_out_skipped();
        if let Some(reference) = &mut self.reference {
            reference.leave_out_skipped();
        }
    }

    /// Whether the backlog limits the block more than its header. A later block has more room.
    pub fn is_backlogged(&self) -> bool {
        self.main.is_backlogged()
    }

    pub(super) fn start(&self) -> WaveStart<'_, S> {
        let Self { engine, spec, context, .. } = self;
        let layer = LaneBase::new(&self.main.runner.evm.ctx.journaled_state, self.state);
        WaveStart { engine, spec, context, layer }
    }

    /// The account that receives all fees directly, if the fee rule names one.
    pub(super) fn beneficiary(&self) -> Option<Address> {
        (self.spec.fees == FeeRule::Beneficiary).then_some(self.context.header.beneficiary)
    }

    /// Whether fees can be added up in any order. They cannot if a fee of zero makes a difference:
    /// to an empty account, or, before EIP-161, to an account that does not exist.
    pub(super) fn fees_commute(&self) -> Result<bool, ExecutionError<S::Error>> {
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
