//! Diffs that several threads apply give the same state as on one thread.

mod common;

use std::sync::LazyLock;

use alloy_primitives::{Address, U256, keccak256};
use common::{code_of, content};
use proptest::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use turnpike_state::{Account, AccountDiff, FlatState, NodeState, StateDiff};

static POOLS: LazyLock<[ThreadPool; 4]> = LazyLock::new(|| {
    [1, 2, 3, 8]
        .map(|threads| ThreadPoolBuilder::new().num_threads(threads).build().expect("thread pool"))
});

/// Number of accounts with a few slots each. A few accounts can have many slots.
const CROWD: u64 = 3000;
const WIDE: u64 = 3;
const WIDE_SLOTS: u64 = 5000;

/// A pseudo-random number from a seed of four numbers.
fn mixed(parts: [u64; 4]) -> u64 {
    let hash = keccak256(parts.map(u64::to_le_bytes).concat());
    u64::from_le_bytes(*hash.0.first_chunk().expect("a hash has 32 bytes"))
}

/// Random changes of every kind. Accounts are new, equal, cleared or removed; slots are new, equal
/// or set to zero.
fn change(seed: u64, round: u64, number: u64) -> Option<AccountDiff> {
    let dice = mixed([seed, round, number, u64::MAX]);
    let (slots, one_in) = if number < WIDE { (WIDE_SLOTS, 2) } else { (4, 3) };
    if dice.is_multiple_of(5) && number >= WIDE {
        return None;
    }
    let storage = (0..slots).filter_map(|slot| {
        let dice = mixed([seed, round, number, slot]);
        let value = if (dice >> 32).is_multiple_of(3) { 0 } else { dice >> 60 };
        dice.is_multiple_of(one_in).then(|| (U256::from(slot), U256::from(value)))
    });
    let account = Account {
        nonce: dice >> 62,
        balance: U256::from(number),
        code_hash: keccak256(code_of(u8::try_from(dice >> 61 & 1).expect("one bit"))),
    };
    let fate = if number < WIDE { dice >> 8 & 7 } else { dice >> 8 & 127 };
    Some(AccountDiff {
        address: Address::from_word(keccak256(number.to_le_bytes())),
        account: (fate != 0).then_some(account),
        storage_cleared: fate == 1,
        storage: storage.collect(),
    })
}

fn diff(seed: u64, round: u64) -> StateDiff {
    let mut numbers: Vec<u64> = (0..CROWD).collect();
    numbers.sort_unstable_by_key(|number| mixed([seed, round, *number, 0]));
    let accounts = numbers.into_iter().filter_map(|number| change(seed, round, number));
    let codes = (0..2).map(|seed| (keccak256(code_of(seed)), code_of(seed)));
    StateDiff { accounts: accounts.collect(), codes: codes.collect() }
}

/// The content of the tables, in the order of the entries.
#[derive(Debug, PartialEq, Eq)]
struct Entries {
    accounts: Vec<(Address, Account)>,
    slots: Vec<(Address, U256, U256)>,
}

fn entries(flat: &FlatState) -> Entries {
    Entries { accounts: flat.iter_accounts().collect(), slots: flat.iter_slots().collect() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// Roots, undo diffs and the order of entries equal those of one thread.
    #[test]
    fn entries_roots_and_undo_diffs_do_not_depend_on_threads(seed in any::<u64>()) {
        let mut sequential = NodeState::default();
        let mut parallel = POOLS.each_ref().map(|pool| (pool, NodeState::default()));
        for round in 0..4 {
            let diff = diff(seed, round);
            let undo = sequential.flat().undo_of(&diff);
            let before = sequential.roots();
            let content_before = content(sequential.flat());
            let roots = sequential.apply(&diff);
            let expected = entries(sequential.flat());
            for (pool, state) in &mut parallel {
                prop_assert_eq!(&state.flat().undo_of_on(&diff, pool), &undo);
                let mut tables = state.flat().clone();
                tables.apply_on(&diff, pool);
                prop_assert_eq!(&entries(&tables), &expected);
                prop_assert_eq!(state.apply_on(&diff, pool), roots);
                prop_assert_eq!(&entries(state.flat()), &expected);
                let mut back = state.clone();
                prop_assert_eq!(back.apply_on(&undo, pool), before);
                prop_assert_eq!(&content(back.flat()), &content_before);
            }
        }
    }
}

#[test]
#[should_panic(expected = "invariant: code")]
fn account_without_its_code_panics_on_any_worker() {
    let mut diff = diff(0, 0);
    diff.codes.clear();
    NodeState::default().apply_on(&diff, &POOLS[1]);
}
