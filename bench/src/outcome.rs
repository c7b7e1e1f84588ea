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

#[cfg(test)]
mod tests {
    use alloy_primitives::address;
    use revm::state::Bytecode;

    use super::*;
    use crate::WorldAccount;

    const ALICE: Address = address!("00000000000000000000000000000000000000a1");

    fn world() -> World {
        let storage = vec![(U256::from(1), U256::from(7)), (U256::from(2), U256::from(8))];
        let (nonce, balance, code) = (1, U256::from(100), Bytecode::default());
        World { accounts: vec![WorldAccount { address: ALICE, nonce, balance, code, storage }] }
    }

    fn outcome(written: &[(Address, Changed)]) -> Outcome {
        let tx = TxOutcome { succeeded: true, gas: 21_000, logs: Vec::new() };
        Outcome::new(&world(), vec![tx], written.iter().cloned())
    }

    fn changed(nonce: u64, balance: u64, storage: &[(u64, u64)]) -> Changed {
        let storage = storage.iter().map(|(slot, value)| (U256::from(*slot), U256::from(*value)));
        Changed { nonce, balance: U256::from(balance), storage: storage.collect() }
    }

    #[test]
    fn what_is_as_before_does_not_count() {
        let nothing = outcome(&[]);
        assert_eq!(outcome(&[(ALICE, changed(1, 100, &[(1, 7), (3, 0)]))]), nothing);
        assert_eq!(outcome(&[(BASE_FEE_VAULT, changed(0, 5, &[]))]), nothing);
    }

    #[test]
    fn every_difference_is_found() {
        let one = outcome(&[(ALICE, changed(2, 90, &[(1, 9)]))]);
        one.expect_same(&one.clone()).expect("the same");
        let others = [
            outcome(&[]),
            outcome(&[(ALICE, changed(3, 90, &[(1, 9)]))]),
            outcome(&[(ALICE, changed(2, 91, &[(1, 9)]))]),
            outcome(&[(ALICE, changed(2, 90, &[(1, 10)]))]),
            outcome(&[(ALICE, changed(2, 90, &[(1, 9), (2, 0)]))]),
            outcome(&[(ALICE, changed(2, 90, &[(1, 9)])), (Address::ZERO, changed(0, 1, &[]))]),
        ];
        for other in others {
            one.expect_same(&other).expect_err("differs");
        }
        for change in [
            |tx: &mut TxOutcome| tx.gas += 1,
            |tx: &mut TxOutcome| tx.succeeded = false,
            |tx: &mut TxOutcome| tx.logs.push(Log::empty()),
        ] {
            let mut other = one.clone();
            change(&mut other.transactions[0]);
            one.expect_same(&other).expect_err("differs");
        }
        let mut fewer = one.clone();
        fewer.transactions.clear();
        one.expect_same(&fewer).expect_err("differs");
    }
}
