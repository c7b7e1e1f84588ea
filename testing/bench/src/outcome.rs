use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, Log, U256};
use anyhow::{Context as _, ensure};
use turnpike_executor::FeeRule;
use turnpike_protocol::predeploys::{BASE_FEE_VAULT, HISTORY_STORAGE, L1_FEE_VAULT};

use crate::{Block, WorldAccount};

/// What came of one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TxOutcome {
    pub(crate) succeeded: bool,
    pub(crate) gas: u64,
    pub(crate) logs: Vec<Log>,
}

/// An account after the block, as an implementation says it wrote it.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
    pub(crate) code_hash: B256,
    /// Whether the slots that it had before are gone.
    pub(crate) storage_cleared: bool,
    pub(crate) storage: BTreeMap<U256, U256>,
}

/// An account after the block: all of it but the slots that are what they were.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Changed {
    nonce: u64,
    balance: U256,
    code_hash: B256,
    storage: BTreeMap<U256, U256>,
}

/// All that came of a block, in a form that implementations can be compared by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) transactions: Vec<TxOutcome>,
    accounts: BTreeMap<Address, Changed>,
}

impl Outcome {
    /// From the accounts that an implementation says it wrote; what is as before the block is left out.
    ///
    /// So are the accounts that only Turnpike writes on a chain of its own: base and L1 fees have vaults, plain revm
    /// burns them; and the parent's hash goes into the EIP-2935 contract before the first transaction.
    pub(crate) fn new<T>(
        block: &Block<T>,
        transactions: Vec<TxOutcome>,
        written: impl Iterator<Item = (Address, Written)>,
    ) -> Self {
        let own: &[_] = match block.terms.spec.fees {
            FeeRule::Vaults => &[BASE_FEE_VAULT, L1_FEE_VAULT, HISTORY_STORAGE],
            FeeRule::Beneficiary => &[],
        };
        let written = written.filter(|(address, _)| !own.contains(address));
        let changed = written.filter_map(|(address, written)| {
            Some((address, Changed::since(block.world.account(&address), written)?))
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

impl Changed {
    /// What an account became since it was `before`; `None` if it is the same.
    fn since(before: Option<&WorldAccount>, written: Written) -> Option<Self> {
        let Written { nonce, balance, code_hash, storage_cleared, mut storage } = written;
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
    use crate::{World, terms::Terms};

    const ALICE: Address = address!("00000000000000000000000000000000000000a1");

    fn block() -> Block {
        let storage = vec![(U256::from(1), U256::from(7)), (U256::from(2), U256::from(8))];
        let (nonce, balance, code) = (1, U256::from(100), Bytecode::default());
        let (address, code_hash) = (ALICE, KECCAK256_EMPTY);
        let alice = WorldAccount { address, nonce, balance, code_hash, code, storage };
        let terms = Terms::after(&Terms::genesis());
        Block { number: 1, world: World { accounts: vec![alice] }, transactions: Vec::new(), terms }
    }

    fn outcome(written: &[(Address, Written)]) -> Outcome {
        let tx = TxOutcome { succeeded: true, gas: 21_000, logs: Vec::new() };
        Outcome::new(&block(), vec![tx], written.iter().cloned())
    }

    fn changed(nonce: u64, balance: u64, storage: &[(u64, u64)]) -> Written {
        let storage = storage.iter().map(|(slot, value)| (U256::from(*slot), U256::from(*value)));
        Written {
            nonce,
            balance: U256::from(balance),
            code_hash: KECCAK256_EMPTY,
            storage_cleared: false,
            storage: storage.collect(),
        }
    }

    fn cleared(storage: &[(u64, u64)]) -> Written {
        Written { storage_cleared: true, ..changed(1, 100, storage) }
    }

    #[test]
    fn what_is_as_before_does_not_count() {
        let nothing = outcome(&[]);
        assert_eq!(outcome(&[(ALICE, changed(1, 100, &[(1, 7), (3, 0)]))]), nothing);
        assert_eq!(outcome(&[(BASE_FEE_VAULT, changed(0, 5, &[]))]), nothing);
    }

    #[test]
    fn where_turnpike_has_no_vaults_they_are_accounts_like_others() {
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
            outcome(&[(ALICE, Written { code_hash: B256::ZERO, ..changed(2, 90, &[(1, 9)]) })]),
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
