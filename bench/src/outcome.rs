use std::collections::BTreeMap;

use alloy_primitives::{Address, Log, U256};
use anyhow::{Context as _, ensure};
use turnpike_protocol::predeploys::{BASE_FEE_VAULT, HISTORY_STORAGE, L1_FEE_VAULT};

use crate::World;

/// What came of one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TxOutcome {
    pub(crate) succeeded: bool,
    pub(crate) gas: u64,
    pub(crate) logs: Vec<Log>,
}

/// An account after the block: nonce, balance and the slots that are not what they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
    pub(crate) storage: BTreeMap<U256, U256>,
}

/// All that came of a block, in a form that implementations can be compared by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) transactions: Vec<TxOutcome>,
    accounts: BTreeMap<Address, Changed>,
}

impl Outcome {
    /// From the accounts that an implementation says it wrote; what is as before in `world` is left out.
    ///
    /// So are the accounts that only Turnpike writes: base and L1 fees have vaults, plain revm burns them; and the
    /// parent's hash goes into the EIP-2935 contract before the first transaction.
    pub(crate) fn new(
        world: &World,
        transactions: Vec<TxOutcome>,
        written: impl Iterator<Item = (Address, Changed)>,
    ) -> Self {
        let before = world.index();
        let mut accounts = BTreeMap::new();
        for (address, mut after) in written {
            if [BASE_FEE_VAULT, L1_FEE_VAULT, HISTORY_STORAGE].contains(&address) {
                continue;
            }
            let before = before.get(&address);
            after.storage.retain(|slot, value| {
                let storage = before.map_or(&[][..], |account| &account.storage);
                let found = storage.binary_search_by_key(slot, |(slot, _)| *slot);
                *value != found.map_or(U256::ZERO, |index| storage[index].1)
            });
            let (nonce, balance) =
                before.map_or((0, U256::ZERO), |account| (account.nonce, account.balance));
            if (after.nonce, after.balance) != (nonce, balance) || !after.storage.is_empty() {
                accounts.insert(address, after);
            }
        }
        Self { transactions, accounts }
    }

    /// Gas of all transactions.
    pub(crate) fn gas(&self) -> u64 {
        self.transactions.iter().map(|tx| tx.gas).sum()
    }

    /// Says how `other` differs.
    pub(crate) fn expect_same(&self, other: &Self) -> anyhow::Result<()> {
        let (expected, found) = (self.transactions.len(), other.transactions.len());
        ensure!(expected == found, "expected {expected} transactions, found {found}");
        for (index, (expected, found)) in
            self.transactions.iter().zip(&other.transactions).enumerate()
        {
            ensure!(
                expected == found,
                "transaction {index}: expected {expected:?}, found {found:?}"
            );
        }
        for (address, expected) in &self.accounts {
            let found = other.accounts.get(address);
            let found = found.with_context(|| format!("account {address} did not change"))?;
            ensure!(expected == found, "account {address}: expected {expected:?}, found {found:?}");
        }
        let more = other.accounts.keys().find(|address| !self.accounts.contains_key(*address));
        ensure!(more.is_none(), "account {more:?} changed");
        Ok(())
    }
}
