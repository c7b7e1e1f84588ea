//! The lean baseline: plain revm over `CacheDB`.

use revm::database::AccountState;

use super::{BlockRun, Implementation, Prepared, run_each};
use crate::{
    clock::Clock,
    outcome::{Outcome, WrittenAccount},
};

/// Plain revm over `CacheDB`, as lean as possible: one EVM for all transactions of a block, state
/// and analysed code in memory, nothing cloned, no receipts.
#[derive(Debug)]
pub(crate) struct RevmCacheDb<'a, T> {
    blocks: &'a [Prepared<'a, T>],
}

impl<'a, T> RevmCacheDb<'a, T> {
    pub(crate) const NAME: &'static str = "revm-cachedb";

    pub(crate) const fn new(blocks: &'a [Prepared<'a, T>]) -> Self {
        Self { blocks }
    }
}

impl<T> Implementation for RevmCacheDb<'_, T> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn is_baseline(&self) -> bool {
        true
    }

    fn run(&mut self, block: usize) -> anyhow::Result<BlockRun> {
        let Prepared { block, db, envs, deposits, .. } = &self.blocks[block];
        let mut run = BlockRun::default();
        let (db, envs) = (db.clone(), envs.clone());
        let clock = Clock::start();
        let mut evm = block.terms.evm(db);
        run_each(&mut evm, *deposits, envs, |result| run.count(&result))?;
        run.time = clock.stop();
        Ok(run)
    }

    fn outcome(&mut self, block: usize) -> anyhow::Result<Outcome> {
        let Prepared { block, db, envs, deposits, .. } = &self.blocks[block];
        let mut transactions = Vec::new();
        let mut evm = block.terms.evm(db.clone());
        run_each(&mut evm, *deposits, envs.clone(), |result| transactions.push(result.into()))?;
        let accounts = evm.ctx.journaled_state.database.cache.accounts.into_iter();
        let written = accounts.map(|(address, account)| {
            let written = WrittenAccount {
                nonce: account.info.nonce,
                balance: account.info.balance,
                code_hash: account.info.code_hash,
                storage_cleared: matches!(
                    account.account_state,
                    AccountState::NotExisting | AccountState::StorageCleared
                ),
                storage: account.storage.into_iter().collect(),
            };
            (address, written)
        });
        Ok(Outcome::new(block, transactions, written))
    }
}
