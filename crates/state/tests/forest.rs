//! Random histories of a full state. After every commit the root must equal that of `alloy-trie`,
//! however the commit was computed.

mod common;

use std::{collections::BTreeMap, sync::LazyLock};

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use common::{Model, content, slot_value};
use proptest::{collection, prelude::*};
use rayon::{ThreadPool, ThreadPoolBuilder};
use turnpike_state::{
    Account, AccountDiff, EMPTY_ROOT, KeccakBackend, NodeState, PartialState, StateCommit,
    StateDiff, Touched,
};

/// Hashed keys that share their first nibbles. They cause branches below gaps, deep splits and
/// collapses.
fn clustered<K: Copy>(hash: impl Fn(u64) -> (K, B256), count: usize) -> Vec<K> {
    let mut by_prefix: BTreeMap<[u8; 2], Vec<K>> = BTreeMap::new();
    for seed in 0..60_000 {
        let (key, hash) = hash(seed);
        by_prefix.entry([hash[0], hash[1]]).or_default().push(key);
    }
    let mut crowds: Vec<Vec<K>> = by_prefix.into_values().collect();
    crowds.sort_by_key(|crowd| std::cmp::Reverse(crowd.len()));
    let crowded = crowds.iter().take(count / 3 + 1).flat_map(|crowd| crowd.iter().take(3));
    let mut keys: Vec<K> = crowded.copied().collect();
    keys.truncate(count);
    keys
}

fn addresses() -> &'static [Address] {
    static ALL: LazyLock<Vec<Address>> = LazyLock::new(make_addresses);
    &ALL
}

fn slots() -> &'static [U256] {
    static ALL: LazyLock<Vec<U256>> = LazyLock::new(make_slots);
    &ALL
}

fn make_addresses() -> Vec<Address> {
    let hash = |seed: u64| {
        let address = Address::from_word(keccak256(seed.to_be_bytes()));
        (address, keccak256(address))
    };
    let mut all = clustered(hash, 30);
    all.extend((0..16).map(Address::with_last_byte));
    all.push(turnpike_protocol::predeploys::MESSAGE_PASSER);
    all
}

fn make_slots() -> Vec<U256> {
    let hash = |seed: u64| (U256::from(seed), keccak256(B256::from(U256::from(seed))));
    let mut all = clustered(hash, 30);
    all.extend((0..12).map(U256::from));
    all.sort_unstable();
    all.dedup();
    all
}

/// Random changes to many slots of few accounts, or to few slots of many accounts.
fn change() -> impl Strategy<Value = StateDiff> {
    let storage = prop_oneof![
        4 => collection::btree_map(prop::sample::select(slots()), slot_value(), 0..4),
        1 => collection::btree_map(prop::sample::select(slots()), slot_value(), 20..40),
        1 => collection::btree_map(prop::sample::select(slots()), Just(U256::ZERO), 10..40),
    ];
    let account = (0_u64..3, any::<u32>(), storage, 0_u8..20);
    let account = account.prop_map(|(nonce, balance, storage, fate)| AccountDiff {
        address: Address::ZERO,
        account: (fate > 2).then(|| Account {
            nonce,
            balance: U256::from(balance),
            ..Account::default()
        }),
        storage_cleared: fate == 3,
        storage: storage.into_iter().collect(),
    });
    let accounts = prop_oneof![
        3 => collection::btree_map(prop::sample::select(addresses()), account.clone(), 0..4),
        1 => collection::btree_map(prop::sample::select(addresses()), account, 20..40),
    ];
    accounts.prop_map(|accounts| {
        let accounts = accounts.into_iter();
        let accounts = accounts.map(|(address, diff)| AccountDiff { address, ..diff }).collect();
        StateDiff { accounts, ..StateDiff::default() }
    })
}

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().expect("thread pool")
}

/// Verifies a proof of every account and slot of the model, and of some that do not exist.
fn verify_all(state: &NodeState, model: &Model) {
    let root = model.state_root();
    for address in addresses() {
        let held = model.0.get(address);
        let slots = slots();
        let proof = state.proof(address, slots);
        let leaf = held.map(|(account, _)| {
            let Account { nonce, balance, code_hash } = *account;
            let storage_root = model.storage_root(address);
            alloy_rlp::encode(TrieAccount { nonce, balance, storage_root, code_hash })
        });
        verify_proof(root, Nibbles::unpack(keccak256(address)), leaf, &proof.account_proof)
            .expect("account proof");
        for (slot, proof) in slots.iter().zip(&proof.storage) {
            let value = held.and_then(|(_, slots)| slots.get(slot)).copied().unwrap_or_default();
            assert_eq!(proof.value, value);
            let leaf = (!value.is_zero()).then(|| alloy_rlp::encode(value));
            let key = Nibbles::unpack(keccak256(B256::from(*slot)));
            verify_proof(model.storage_root(address), key, leaf, &proof.proof).expect("slot proof");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Sequential, parallel, portable and partial commits give the reference root after every step.
    #[test]
    fn sequential_parallel_and_partial_commits_give_the_reference_root(changes in collection::vec(change(), 1..8)) {
        static POOL: LazyLock<ThreadPool> = LazyLock::new(|| pool(3));
        let mut model = Model::default();
        let mut sequential = NodeState::default();
        let mut parallel = NodeState::default();
        let mut portable = NodeState::with_backend(KeccakBackend::Portable);
        for change in &changes {
            let mut touched = Touched::default();
            touched.add_diff(change);
            let before = sequential.roots().state_root;
            let mut partial = PartialState::new(before, sequential.witness(&touched));

            model.apply(change);
            let roots = sequential.apply(change);
            prop_assert_eq!(roots.state_root, model.state_root());
            prop_assert_eq!(parallel.apply_on(change, &POOL), roots);
            prop_assert_eq!(portable.apply(change), roots);
            prop_assert_eq!(partial.commit(change)?, roots);
        }
        prop_assert_eq!(&content(sequential.flat()), &model);
        verify_all(&sequential, &model);
    }

    /// Adds so many other changes that commits run on several threads.
    #[test]
    fn large_commits_give_the_same_root_on_any_number_of_threads(changes in collection::vec(change(), 1..6)) {
        static POOLS: LazyLock<[ThreadPool; 3]> = LazyLock::new(|| [pool(2), pool(3), pool(9)]);
        let mut sequential = NodeState::default();
        let mut parallel = POOLS.each_ref().map(|pool| (pool, NodeState::default()));
        for (round, mut change) in (1_u64..).zip(changes) {
            change.accounts.extend(crowd(round));
            let roots = sequential.apply(&change);
            for (pool, parallel) in &mut parallel {
                prop_assert_eq!(parallel.apply_on(&change, pool), roots);
                prop_assert_eq!(content(parallel.flat()), content(sequential.flat()));
            }
        }
    }
}

/// Changes to many accounts and to many slots of one of them.
fn crowd(round: u64) -> impl Iterator<Item = AccountDiff> {
    (0..1200_u64).map(move |number| {
        let address = Address::from_word(keccak256(number.to_le_bytes()));
        let slots = if number == 0 { 1200 } else { 0 };
        let storage = (0..slots).map(|slot| (U256::from(slot), U256::from(slot % 7 + round)));
        let account = Some(Account { nonce: round, ..Account::default() });
        AccountDiff { address, account, storage: storage.collect(), ..AccountDiff::default() }
    })
}

/// Inserts and removes so many keys that arenas are rewritten.
#[test]
fn growing_and_shrinking_state_has_the_reference_root() {
    let pool = pool(2);
    let (mut state, mut model) = (NodeState::default(), Model::default());
    let mut commit = |diff: StateDiff| {
        model.apply(&diff);
        let root = state.apply_on(&diff, &pool).state_root;
        assert_eq!(root, model.state_root());
    };
    let change = |number: u64, value: u64| {
        let address = Address::from_word(keccak256((number % 3000).to_be_bytes()));
        let storage = (0..number % 3).map(|slot| (U256::from(number + slot), U256::from(value)));
        let account = (value != 0).then(Account::default);
        AccountDiff { address, account, storage: storage.collect(), ..AccountDiff::default() }
    };
    for round in 0..12_u64 {
        let accounts = (0..250 * (round + 1)).step_by(1 + round as usize % 3);
        let accounts = accounts.map(|number| change(number, round + 1)).collect();
        commit(StateDiff { accounts, ..StateDiff::default() });
    }
    for round in 0..6_u64 {
        let accounts = (0..3000).filter(|number| number % 6 == round);
        let accounts = accounts.map(|number| change(number, 0)).collect();
        commit(StateDiff { accounts, ..StateDiff::default() });
    }
    assert_eq!(state.roots().state_root, EMPTY_ROOT);
    assert_eq!((state.flat().account_count(), state.flat().slot_count()), (0, 0));
}

/// Every part has more changes than one call hashes, with and without threads.
#[test]
fn large_commits_give_the_reference_root() {
    let pool = pool(4);
    let (mut sequential, mut parallel) = (NodeState::default(), NodeState::default());
    let mut model = Model::default();
    for round in 0..3_u64 {
        let account = |number: u64| {
            let address = Address::from_word(keccak256(number.to_be_bytes()));
            let slots = if number.is_multiple_of(5000) { 9000 } else { number % 2 };
            let slots = (0..slots).filter(|slot| round < 2 || !slot.is_multiple_of(3));
            let value = |slot| U256::from((number + slot + round) % (5 - round));
            let storage = slots.map(|slot| (U256::from(slot), value(slot))).collect();
            let account = (round < 2 || !number.is_multiple_of(3)).then(Account::default);
            AccountDiff { address, account, storage, ..AccountDiff::default() }
        };
        let accounts =
            (0..12_000_u64).filter(|number| number.is_multiple_of(round + 1)).map(account);
        let diff = StateDiff { accounts: accounts.collect(), ..StateDiff::default() };
        model.apply(&diff);
        let root = model.state_root();
        assert_eq!(sequential.apply(&diff).state_root, root);
        assert_eq!(parallel.apply_on(&diff, &pool).state_root, root);
    }
}
