//! The state of `bench root`, and its random changes.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, KECCAK256_EMPTY, U256, keccak256};
use anyhow::ensure;
use turnpike_random::Rng;
use turnpike_state::{Account, AccountDiff, NodeState, StateDiff};

use crate::RootArgs;

/// Slots and accounts added to a new state at once, at most.
const ADDED_MAX: usize = 50_000;

/// Sizes of a state whose first accounts are contracts with equal shares of the slots, and of its
/// changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateContent {
    accounts: usize,
    contracts: usize,
    /// Slots of each contract.
    share: usize,
    updates: usize,
    /// Percentage of updates that insert new keys.
    inserts_percent: usize,
}

impl StateContent {
    pub(crate) fn new(args: &RootArgs) -> anyhow::Result<Self> {
        let RootArgs { accounts, slots, contracts, updates, .. } = *args;
        ensure!(contracts <= accounts, "{contracts} contracts of {accounts} accounts");
        ensure!(slots % contracts == 0, "{slots} slots do not divide among {contracts} contracts");
        let leaves = accounts + slots;
        ensure!(updates <= leaves / 2, "{updates} updates are more than half of {leaves} leaves");
        let share = slots / contracts;
        Ok(Self { accounts, contracts, share, updates, inserts_percent: args.inserts.into() })
    }

    /// Accounts without slots.
    pub(crate) fn accounts(accounts: usize) -> Self {
        Self { accounts, contracts: 0, share: 0, updates: 0, inserts_percent: 0 }
    }

    /// Slots, and only the contracts that hold them.
    pub(crate) fn slots(slots: usize, contracts: usize) -> Self {
        let share = slots / contracts;
        Self { accounts: contracts, contracts, share, updates: 0, inserts_percent: 0 }
    }

    pub(crate) fn build(&self) -> NodeState {
        let mut state = NodeState::default();
        let mut diff = StateDiff::default();
        let mut entries = 0;
        for number in 0..self.accounts {
            let slots = if number < self.contracts { self.share } else { 0 };
            for from in (0..slots.max(1)).step_by(ADDED_MAX) {
                let some = from..slots.min(from + ADDED_MAX);
                entries += some.len() + 1;
                let storage = some.map(|slot| (slot_of(slot), value_of(slot as u64 + 1)));
                let storage = storage.collect();
                diff.accounts.push(AccountDiff { storage, ..account_diff(number, 1) });
                if entries >= ADDED_MAX {
                    state.apply(&std::mem::take(&mut diff));
                    entries = 0;
                }
            }
        }
        state.apply(&diff);
        state
    }

    /// The random changes of a round, to exactly `updates` leaves: accounts and slots in proportion
    /// to their numbers, and the accounts of changed slots.
    pub(crate) fn diff(&self, round: usize) -> StateDiff {
        let mut random = Rng::new(round as u64);
        let mut accounts = BTreeMap::<usize, BTreeSet<usize>>::new();
        let (mut leaves, mut fresh) = (0, round * self.updates);
        while leaves < self.updates {
            let is_new = random.below(100) < self.inserts_percent;
            fresh += usize::from(is_new);
            if random.below(self.accounts + self.share * self.contracts) < self.accounts {
                let number =
                    if is_new { self.accounts + fresh } else { random.below(self.accounts) };
                leaves += usize::from(!accounts.contains_key(&number));
                accounts.entry(number).or_default();
            } else {
                let contract = random.below(self.contracts);
                if leaves + 2 > self.updates && !accounts.contains_key(&contract) {
                    continue;
                }
                leaves += usize::from(!accounts.contains_key(&contract));
                let slot = if is_new { self.share + fresh } else { random.below(self.share) };
                leaves += usize::from(accounts.entry(contract).or_default().insert(slot));
            }
        }
        let accounts = accounts.into_iter().map(|(number, slots)| {
            let storage =
                slots.into_iter().map(|slot| (slot_of(slot), value_of(random.next_u64() | 1)));
            AccountDiff { storage: storage.collect(), ..account_diff(number, round as u64 + 2) }
        });
        let mut accounts: Vec<AccountDiff> = accounts.collect();
        random.shuffle(&mut accounts);
        StateDiff { accounts, codes: Vec::new() }
    }
}

fn account_diff(number: usize, nonce: u64) -> AccountDiff {
    let hash = keccak256((number as u64).to_be_bytes());
    let balance = U256::from(number + 1) * U256::from(1_234_567_890_123_456_789_u64);
    let account = Account { nonce, balance, code_hash: KECCAK256_EMPTY };
    AccountDiff {
        address: Address::from_word(hash),
        account: Some(account),
        ..AccountDiff::default()
    }
}

/// Spreads slots as a contract's mapping does.
fn slot_of(number: usize) -> U256 {
    keccak256((number as u64 ^ 0x5107).to_le_bytes()).into()
}

fn value_of(seed: u64) -> U256 {
    U256::from(seed) * U256::from(0x1234_5678_9abc_def1_u64)
}
