//! The implementations under measurement. Each runs the same transactions on the same state.

mod cache_db;
mod prepared;
mod state;
mod turnpike;

use std::num::NonZeroUsize;

use revm::{
    Database, DatabaseCommit, ExecuteCommitEvm as _, MainnetEvm, context::TxEnv,
    context_interface::result::ExecutionResult, handler::MainnetContext,
};
use turnpike_executor::{BlockTransaction, SliceReport};

pub(crate) use cache_db::RevmCacheDb;
pub(crate) use prepared::Prepared;
pub(crate) use state::RevmState;
pub(crate) use turnpike::Turnpike;

use crate::{
    clock::Time,
    outcome::{Outcome, TxOutcome},
};

/// An implementation that executes the blocks of a workload, given by their index.
pub(crate) trait Implementation {
    /// Name in reports.
    fn name(&self) -> &'static str;

    /// Threads used.
    fn workers(&self) -> usize {
        1
    }

    /// Whether other implementations are compared with it.
    fn is_baseline(&self) -> bool {
        false
    }

    /// Runs a block on its pre-state and measures it, without preparation and cleanup.
    fn run(&mut self, block: usize) -> anyhow::Result<BlockRun>;

    /// Runs a block untimed and returns its whole outcome.
    fn outcome(&mut self, block: usize) -> anyhow::Result<Outcome>;
}

/// A timed run of a block.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockRun {
    pub(crate) time: Time,
    /// Transactions that succeeded.
    pub(crate) succeeded: usize,
    /// Gas of all transactions.
    pub(crate) gas: u64,
    /// Reports of its slices, if the implementation has any.
    pub(crate) slices: Vec<SliceReport>,
}

/// All implementations over the blocks of one workload, with the parallel one once for each number
/// of workers.
pub(crate) fn all<'a, T: BlockTransaction + Clone + Send + Sync>(
    blocks: &'a [Prepared<'a, T>],
    workers: &[NonZeroUsize],
) -> Vec<Box<dyn Implementation + 'a>> {
    let mut all: Vec<Box<dyn Implementation + 'a>> = vec![
        Box::new(RevmCacheDb::new(blocks)),
        Box::new(RevmState::new(blocks)),
        Box::new(Turnpike::sequential(blocks)),
    ];
    for workers in workers {
        all.push(Box::new(Turnpike::parallel(blocks, *workers)));
    }
    all
}

/// Runs transactions on one EVM and commits each. The first `deposits` transactions pay nothing for
/// gas.
#[inline]
fn run_each<DB: Database + DatabaseCommit>(
    evm: &mut MainnetEvm<MainnetContext<DB>>,
    deposits: usize,
    envs: Vec<TxEnv>,
    mut each: impl FnMut(ExecutionResult),
) -> anyhow::Result<()> {
    let mut envs = envs.into_iter();
    let base_fee = std::mem::take(&mut evm.ctx.block.basefee);
    for env in envs.by_ref().take(deposits) {
        each(transact(evm, env)?);
    }
    evm.ctx.block.basefee = base_fee;
    for env in envs {
        each(transact(evm, env)?);
    }
    Ok(())
}

#[inline]
fn transact<DB: Database + DatabaseCommit>(
    evm: &mut MainnetEvm<MainnetContext<DB>>,
    env: TxEnv,
) -> anyhow::Result<ExecutionResult> {
    evm.transact_commit(env)
        .map_err(|error| anyhow::anyhow!("revm refuses a transaction: {error:?}"))
}

impl BlockRun {
    fn count(&mut self, result: &ExecutionResult) {
        self.succeeded += usize::from(result.is_success());
        self.gas += result.tx_gas_used();
    }
}

impl From<ExecutionResult> for TxOutcome {
    fn from(result: ExecutionResult) -> Self {
        let succeeded = result.is_success();
        let gas = result.tx_gas_used();
        Self { succeeded, gas, logs: if succeeded { result.into_logs() } else { Vec::new() } }
    }
}
