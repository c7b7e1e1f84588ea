//! What is measured: each runs the same transactions on the same state.

mod cache_db;
mod sequential;
mod state;

use revm::{
    Database, DatabaseCommit, ExecuteCommitEvm as _, MainnetEvm, context::TxEnv,
    context_interface::result::ExecutionResult, handler::MainnetContext,
};

pub(crate) use cache_db::RevmCacheDb;
pub(crate) use sequential::Sequential;
pub(crate) use state::RevmState;

use crate::{
    Workload,
    clock::Time,
    outcome::{Outcome, TxOutcome},
    terms::Terms,
};

/// One way to execute a block.
pub(crate) trait Implementation {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Threads that it executes on.
    fn workers(&self) -> usize {
        1
    }

    /// Whether others are compared with it.
    fn is_baseline(&self) -> bool {
        false
    }

    /// Runs the block from the state before it, timed; preparation and cleaning up are not.
    fn round(&mut self) -> anyhow::Result<Round>;

    /// Runs the block and tells everything, untimed.
    fn outcome(&mut self) -> anyhow::Result<Outcome>;
}

/// A timed run of a block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Round {
    pub(crate) time: Time,
    /// Transactions that succeeded.
    pub(crate) succeeded: usize,
    /// Gas of all transactions.
    pub(crate) gas: u64,
}

/// All implementations, over one workload.
pub(crate) fn all<'a>(
    terms: &'a Terms,
    workload: &'a Workload,
) -> Vec<Box<dyn Implementation + 'a>> {
    vec![
        Box::new(RevmCacheDb::new(terms, workload)),
        Box::new(RevmState::new(terms, workload)),
        Box::new(Sequential::new(terms, workload)),
    ]
}

fn envs(terms: &Terms, workload: &Workload) -> Vec<TxEnv> {
    workload.transactions.iter().map(|tx| tx.env(terms.chain_id())).collect()
}

/// Runs transactions on one EVM, committing each.
#[inline]
fn run_each<DB: Database + DatabaseCommit>(
    evm: &mut MainnetEvm<MainnetContext<DB>>,
    envs: Vec<TxEnv>,
    mut each: impl FnMut(ExecutionResult),
) -> anyhow::Result<()> {
    for env in envs {
        match evm.transact_commit(env) {
            Ok(result) => each(result),
            Err(error) => anyhow::bail!("revm refuses a transaction: {error:?}"),
        }
    }
    Ok(())
}

impl Round {
    fn count(&mut self, result: &ExecutionResult) {
        self.succeeded += usize::from(result.is_success());
        self.gas += result.tx_gas_used();
    }
}

impl From<ExecutionResult> for TxOutcome {
    fn from(result: ExecutionResult) -> Self {
        Self { succeeded: result.is_success(), gas: result.tx_gas_used(), logs: result.into_logs() }
    }
}
