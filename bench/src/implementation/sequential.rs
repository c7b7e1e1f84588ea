use anyhow::ensure;
use turnpike_executor::{BlockTx, Chain, Executed};

use super::{Implementation, Round};
use crate::{
    Workload,
    clock::{Clock, Time},
    outcome::{Changed, Outcome, TxOutcome},
    terms::Terms,
};

/// Turnpike's oracle over the warm flat state: a block opened, its transactions run, its diff made. Not sealed.
///
/// The only place that knows the executor's interface.
pub(crate) struct Sequential<'a> {
    terms: &'a Terms,
    workload: &'a Workload,
    chain: Chain,
    transactions: Vec<BlockTx>,
}

impl<'a> Sequential<'a> {
    pub(crate) fn new(terms: &'a Terms, workload: &'a Workload) -> Self {
        let genesis = terms.genesis_with(workload.world.genesis_accounts());
        let transactions = workload.transactions.iter();
        Self {
            terms,
            workload,
            chain: Chain::from_genesis(&genesis),
            transactions: transactions
                .map(|tx| BlockTx::User(tx.signed(terms.chain_id())))
                .collect(),
        }
    }

    fn execute(&self) -> anyhow::Result<(Time, Executed)> {
        let (timestamp, origin) = (self.terms.timestamp(), Terms::origin());
        // Handed over, as the pool does and as plain revm is handed its own.
        let transactions = self.transactions.clone();
        let clock = Clock::start();
        let mut block = self.chain.open_block(timestamp, &origin)?;
        block.execute_slice(transactions)?;
        let (executed, _) = block.finish()?;
        let time = clock.stop();
        if let Some(skipped) = executed.skipped.first() {
            anyhow::bail!("transaction {} is skipped: {:?}", skipped.index, skipped.reason);
        }
        let (expected, found) = (self.transactions.len(), executed.transactions.len());
        ensure!(expected == found, "expected {expected} transactions in the block, found {found}");
        Ok((time, executed))
    }
}

impl Implementation for Sequential<'_> {
    fn name(&self) -> &'static str {
        "sequential"
    }

    fn round(&mut self) -> anyhow::Result<Round> {
        let (time, executed) = self.execute()?;
        let mut round = Round { time, ..Round::default() };
        for tx in executed.transactions.iter() {
            round.succeeded += usize::from(tx.is_success);
            round.gas += tx.gas_used;
        }
        Ok(round)
    }

    fn outcome(&mut self) -> anyhow::Result<Outcome> {
        let (_, mut executed) = self.execute()?;
        let diff = std::mem::take(executed.diff());
        let transactions = executed.transactions.into_iter().map(|tx| TxOutcome {
            succeeded: tx.is_success,
            gas: tx.gas_used,
            logs: tx.logs,
        });
        let written = diff.accounts.into_iter().map(|change| {
            let address = change.address;
            let account = change.account.unwrap_or_default();
            let (nonce, balance) = (account.nonce, account.balance);
            (address, Changed { nonce, balance, storage: change.storage.into_iter().collect() })
        });
        Ok(Outcome::new(&self.workload.world, transactions.collect(), written))
    }
}
