//! Turnpike's engine, sequential and parallel. Only this file uses the executor's interface.

use std::num::NonZeroUsize;

use anyhow::ensure;
use turnpike_executor::{
    BlockTransaction, Engine, EngineConfig, Executed, Mode, SliceReport, Transactions,
};
use turnpike_state::FlatState;

use super::{BlockRun, Implementation, Prepared};
use crate::{
    clock::{Clock, Time},
    outcome::{Outcome, TxOutcome, WrittenAccount},
};

/// Turnpike's engine over the warm flat state: opens a block, runs its transactions as one slice
/// and makes the diff, without sealing. One engine runs all blocks and rounds of a workload, as in
/// a node.
#[derive(Debug)]
pub(crate) struct Turnpike<'a, T> {
    name: &'static str,
    blocks: &'a [Prepared<'a, T>],
    /// Pre-state of each block. Each engine has its own copies, so that none profits from another's
    /// caches.
    states: Vec<FlatState>,
    engine: Engine,
}

/// A block that has run.
struct RanBlock<T> {
    time: Time,
    executed: Executed<T>,
    slices: Vec<SliceReport>,
}

impl<'a, T: BlockTransaction + Clone + Send + Sync> Turnpike<'a, T> {
    pub(crate) const SEQUENTIAL: &'static str = "sequential";
    pub(crate) const PARALLEL: &'static str = "parallel";

    /// The reference executor.
    pub(crate) fn sequential(blocks: &'a [Prepared<'a, T>]) -> Self {
        let config = EngineConfig {
            mode: Mode::Sequential,
            workers: NonZeroUsize::MIN,
            ..EngineConfig::default()
        };
        Self::new(Self::SEQUENTIAL, blocks, config)
    }

    /// The parallel engine on this many threads.
    pub(crate) fn parallel(blocks: &'a [Prepared<'a, T>], workers: NonZeroUsize) -> Self {
        let config = EngineConfig { mode: Mode::Parallel, workers, ..EngineConfig::default() };
        Self::new(Self::PARALLEL, blocks, config)
    }

    fn new(name: &'static str, blocks: &'a [Prepared<'a, T>], config: EngineConfig) -> Self {
        let states = blocks.iter().map(|prepared| prepared.block.pre_state.flat_state()).collect();
        Self { name, blocks, states, engine: Engine::new(config) }
    }

    fn execute(&self, block: usize) -> anyhow::Result<RanBlock<T>> {
        let (Prepared { block, .. }, state) = (&self.blocks[block], &self.states[block]);
        // The engine takes ownership, as from the pool; plain revm gets its own copies, too.
        let transactions = block.transactions.clone();
        let clock = Clock::start();
        let mut open = self.engine.open(&block.terms.spec, &block.terms.context, state)?;
        open.execute_slice(transactions)?;
        let (executed, slices) = open.finish()?;
        let time = clock.stop();
        if let Some(skipped) = executed.skipped.first() {
            anyhow::bail!("transaction {} is skipped: {:?}", skipped.index, skipped.reason);
        }
        let (expected, found) = (block.transactions.len(), executed.transactions.len());
        ensure!(expected == found, "expected {expected} transactions in the block, found {found}");
        Ok(RanBlock { time, executed, slices })
    }
}

impl<T: BlockTransaction + Clone + Send + Sync> Implementation for Turnpike<'_, T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn workers(&self) -> usize {
        self.engine.workers()
    }

    fn is_baseline(&self) -> bool {
        self.name == Self::SEQUENTIAL
    }

    fn run(&mut self, block: usize) -> anyhow::Result<BlockRun> {
        let RanBlock { time, executed, slices } = self.execute(block)?;
        let (mut succeeded, mut gas) = (0, 0);
        for tx in executed.transactions.iter() {
            succeeded += usize::from(tx.is_success);
            gas += tx.gas_used;
        }
        // The reference executor has no stages.
        let slices = if self.is_baseline() { Vec::new() } else { slices };
        Ok(BlockRun { time, succeeded, gas, slices })
    }

    fn outcome(&mut self, block: usize) -> anyhow::Result<Outcome> {
        let RanBlock { mut executed, .. } = self.execute(block)?;
        let diff = std::mem::take(executed.diff());
        let written = diff.accounts.into_iter().map(|change| {
            let account = change.account.unwrap_or_default();
            let written = WrittenAccount {
                nonce: account.nonce,
                balance: account.balance,
                code_hash: account.code_hash,
                storage_cleared: change.storage_cleared || change.account.is_none(),
                storage: change.storage.into_iter().collect(),
            };
            (change.address, written)
        });
        let transactions = outcomes(executed.transactions);
        Ok(Outcome::new(self.blocks[block].block, transactions, written))
    }
}

fn outcomes<T>(transactions: Transactions<T>) -> Vec<TxOutcome> {
    let outcome = |tx: turnpike_executor::Included<T>| TxOutcome {
        succeeded: tx.is_success,
        gas: tx.gas_used,
        logs: tx.logs,
    };
    transactions.into_iter().map(outcome).collect()
}
