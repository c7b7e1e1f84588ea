//! The parallel engine.

mod config;
mod report;

use std::sync::{Mutex, PoisonError};

use turnpike_state::StateView;

pub use config::{EngineConfig, Mode};
pub use report::{LaneReport, SliceReport, StageTimes};

use crate::{
    BlockContext, BlockExecutor, BlockTransaction, BlockTx, ChainSpec, Executed, ExecutionError,
    Workspace,
};

/// Executes blocks, one after the other, on as many threads as pay.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    mode: Mutex<Mode>,
    workspace: Mutex<Workspace>,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new(EngineConfig::default())
    }
}

impl Engine {
    /// An engine with its own threads.
    pub fn new(config: EngineConfig) -> Self {
        Self { config, mode: Mutex::new(config.mode), workspace: Mutex::default() }
    }

    /// The most threads that a block runs on.
    pub fn workers(&self) -> usize {
        self.config.workers.get()
    }

    /// How blocks run.
    pub fn mode(&self) -> Mode {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Chooses how blocks run that are opened from now on.
    pub fn set_mode(&self, mode: Mode) {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }

    /// Opens a block on a state, and records its parent's hash where the chain does that (EIP-2935).
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
        let workspace =
            std::mem::take(&mut *self.workspace.lock().unwrap_or_else(PoisonError::into_inner));
        let main = BlockExecutor::open_in(workspace, spec, context, state)?;
        Ok(EngineBlock { engine: self, main, slices: Vec::new() })
    }
}

/// A block under way.
#[allow(missing_debug_implementations)] // revm's EVM has none worth reading
pub struct EngineBlock<'a, S: StateView, T = BlockTx> {
    engine: &'a Engine,
    main: BlockExecutor<S, T>,
    slices: Vec<SliceReport>,
}

impl<S, T> EngineBlock<'_, S, T>
where
    S: StateView + Copy + Send + Sync,
    T: BlockTransaction + Clone + Send + Sync,
{
    /// Runs transactions on the state so far: what comes of it is what running them one after the other would. One that
    /// is invalid at its turn is noted as skipped and changes nothing; a deposit is never skipped. After an error the
    /// block is worth nothing and has to be dropped.
    pub fn execute_slice(&mut self, transactions: Vec<T>) -> Result<(), ExecutionError<S::Error>> {
        self.main.execute_all(transactions)
    }

    /// Gas that the block has left.
    pub const fn gas_remaining(&self) -> u64 {
        self.main.gas_remaining()
    }

    /// Ends the block, and tells how it ran, slice by slice. The state view is as it was.
    pub fn finish(self) -> Result<(Executed<T>, Vec<SliceReport>), ExecutionError<S::Error>> {
        let (executed, workspace) = self.main.finish()?;
        *self.engine.workspace.lock().unwrap_or_else(PoisonError::into_inner) = workspace;
        Ok((executed, self.slices))
    }
}
