//! Outcomes of blocks, in a form in which implementations are compared.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, Log, U256};
use anyhow::{Context as _, ensure};
use turnpike_executor::FeeRule;
use turnpike_protocol::predeploys::{BASE_FEE_VAULT, HISTORY_STORAGE, L1_FEE_VAULT};

use crate::{BenchBlock, PreStateAccount};

/// Outcome of one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TxOutcome {
    pub(crate) succeeded: bool,
    pub(crate) gas: u64,
    pub(crate) logs: Vec<Log>,
}

/// An account that an implementation wrote.
#[derive(Clone, Debug)]
pub(crate) struct WrittenAccount {
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
    pub(crate) code_hash: B256,
    /// Whether all earlier slots are cleared.
    pub(crate) storage_cleared: bool,
    pub(crate) storage: BTreeMap<U256, U256>,
}

/// A changed account after the block, with its changed slots.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ChangedAccount {
    nonce: u64,
    balance: U256,
    code_hash: B256,
    storage: BTreeMap<U256, U256>,
}

/// Outcome of a block, comparable between implementations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) transactions: Vec<TxOutcome>,
    accounts: BTreeMap<Address, ChangedAccount>,
}

impl Outcome {
    /// Builds the outcome from the accounts that an implementation wrote. Unchanged values are left
    /// out.
    ///
    /// Accounts that only Turnpike writes are left out as well: the vaults of base and L1 fees,
    /// which plain revm burns, and the EIP-2935 contract, which gets the parent's hash.
    pub(crate) fn new<T>(
        block: &BenchBlock<T>,
        transactions: Vec<TxOutcome>,
        written: impl Iterator<Item = (Address, WrittenAccount)>,
    ) -> Self {
        let own: &[_] = match block.terms.spec.fees {
            FeeRule::Vaults => &[BASE_FEE_VAULT, L1_FEE_VAULT, HISTORY_STORAGE],
            FeeRule::Beneficiary => &[],
        };
        let written = written.filter(|(address, _)| !own.contains(address));
        let changed = written.filter_map(|(address, written)| {
            Some((address, ChangedAccount::since(block.pre_state.account(&address), written)?))
        });
        Self { transactions, accounts: changed.collect() }
    }

    /// Gas of all transactions.
    pub(crate) fn gas(&self) -> u64 {
        self.transactions.iter().map(|tx| tx.gas).sum()
    }

    /// Transactions that succeeded.
    pub(crate) fn succeeded(&self) -> usize {
        self.transactions.iter().filter(|tx| tx.succeeded).count()
    }

    /// Returns an error that names the first difference from `other`.
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

impl ChangedAccount {
    /// The account's changes since `before`; `None` if there are none.
    fn since(before: Option<&PreStateAccount>, written: WrittenAccount) -> Option<Self> {
        let WrittenAccount { nonce, balance, code_hash, storage_cleared, mut storage } = written;
        let slots = before.map_or(&[][..], |account| &account.storage);
        if storage_cleared {
            for (slot, _) in slots {
                storage.entry(*slot).or_default();
            }
        }
        storage.retain(|slot, value| {
            let found = slots.binary_search_by_key(slot, |(slot, _)| *slot);
            *value != found.map_or(U256::ZERO, |index| slots[index].1)
        });
        let (old_nonce, old_balance, old_code_hash) = before
            .map_or((0, U256::ZERO, KECCAK256_EMPTY), |account| {
                (account.nonce, account.balance, account.code_hash)
            });
        let is_same = (nonce, balance, code_hash) == (old_nonce, old_balance, old_code_hash)
            && storage.is_empty();
        (!is_same).then_some(Self { nonce, balance, code_hash, storage })
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::address;
    use revm::state::Bytecode;

    use super::*;
    use crate::{PreState, terms::BlockTerms};

    const ALICE: Address = address!("00000000000000000000000000000000000000a1");

    fn block() -> BenchBlock {
        let storage = vec![(U256::from(1), U256::from(7)), (U256::from(2), U256::from(8))];
        let (nonce, balance, code) = (1, U256::from(100), Bytecode::default());
        let (address, code_hash) = (ALICE, KECCAK256_EMPTY);
        let alice = PreStateAccount { address, nonce, balance, code_hash, code, storage };
        let terms = BlockTerms::after(&BlockTerms::genesis());
        BenchBlock {
            number: 1,
            pre_state: PreState { accounts: vec![alice] },
            transactions: Vec::new(),
            terms,
        }
    }

    fn outcome(written: &[(Address, WrittenAccount)]) -> Outcome {
        let tx = TxOutcome { succeeded: true, gas: 21_000, logs: Vec::new() };
        Outcome::new(&block(), vec![tx], written.iter().cloned())
    }

    fn changed(nonce: u64, balance: u64, storage: &[(u64, u64)]) -> WrittenAccount {
        let storage = storage.iter().map(|(slot, value)| (U256::from(*slot), U256::from(*value)));
        WrittenAccount {
            nonce,
            balance: U256::from(balance),
            code_hash: KECCAK256_EMPTY,
            storage_cleared: false,
            storage: storage.collect(),
        }
    }

    fn cleared(storage: &[(u64, u64)]) -> WrittenAccount {
        WrittenAccount { storage_cleared: true, ..changed(1, 100, storage) }
    }

    #[test]
    fn unchanged_values_are_left_out() {
        let nothing = outcome(&[]);
        assert_eq!(outcome(&[(ALICE, changed(1, 100, &[(1, 7), (3, 0)]))]), nothing);
        assert_eq!(outcome(&[(BASE_FEE_VAULT, changed(0, 5, &[]))]), nothing);
    }

    #[test]
    fn without_vaults_their_addresses_are_ordinary_accounts() {
        let mut block = block();
        block.terms.spec =
            turnpike_executor::ChainSpec::ethereum(1, turnpike_executor::SpecId::OSAKA);
        let written = (BASE_FEE_VAULT, changed(0, 5, &[]));
        let outcome = Outcome::new(&block, Vec::new(), [written].into_iter());
        assert_eq!(outcome.accounts.len(), 1);
    }

    #[test]
    fn cleared_storage_is_zero() {
        let zeroed = outcome(&[(ALICE, changed(1, 100, &[(1, 0), (2, 0)]))]);
        assert_eq!(outcome(&[(ALICE, cleared(&[]))]), zeroed);
        assert_eq!(outcome(&[(ALICE, cleared(&[(1, 7), (2, 8)]))]), outcome(&[]));
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
            outcome(&[(
                ALICE,
                WrittenAccount { code_hash: B256::ZERO, ..changed(2, 90, &[(1, 9)]) },
            )]),
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
