use revm::{
    context::TxEnv,
    database::{CacheDB, EmptyDB},
};

use super::{Implementation, Round, envs, run_each};
use crate::{
    Workload,
    clock::Clock,
    outcome::{Changed, Outcome},
    terms::Terms,
};

/// Plain revm over its own `CacheDB`, as lean as it gets: one EVM for all transactions, the state and the analysed code
/// in memory, nothing cloned, no receipts. What others start from.
pub(crate) struct RevmCacheDb<'a> {
    terms: &'a Terms,
    workload: &'a Workload,
    db: CacheDB<EmptyDB>,
    envs: Vec<TxEnv>,
}

impl<'a> RevmCacheDb<'a> {
    pub(crate) fn new(terms: &'a Terms, workload: &'a Workload) -> Self {
        Self { terms, workload, db: workload.world.cache_db(), envs: envs(terms, workload) }
    }
}

impl Implementation for RevmCacheDb<'_> {
    fn name(&self) -> &'static str {
        "revm-cachedb"
    }

    fn is_baseline(&self) -> bool {
        true
    }

    fn round(&mut self) -> anyhow::Result<Round> {
        let mut round = Round::default();
        let (mut evm, envs) = (self.terms.evm(self.db.clone()), self.envs.clone());
        let clock = Clock::start();
        run_each(&mut evm, envs, |result| round.count(&result))?;
        round.time = clock.stop();
        Ok(round)
    }

    fn outcome(&mut self) -> anyhow::Result<Outcome> {
        let mut transactions = Vec::new();
        let mut evm = self.terms.evm(self.db.clone());
        run_each(&mut evm, self.envs.clone(), |result| transactions.push(result.into()))?;
        let accounts = evm.ctx.journaled_state.database.cache.accounts.into_iter();
        let written = accounts.map(|(address, account)| {
            let storage = account.storage.into_iter().collect();
            let (nonce, balance) = (account.info.nonce, account.info.balance);
            (address, Changed { nonce, balance, storage })
        });
        Ok(Outcome::new(&self.workload.world, transactions, written))
    }
}
