//! Compares the full state (flat tables, tries, proofs) with plain maps and `alloy-trie`.

mod common;

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use common::{Model, address, code_of, diff, slot};
use proptest::{collection, prelude::*};
use turnpike_protocol::predeploys::MESSAGE_PASSER;
use turnpike_state::{
    Account, AccountDiff, AccountProof, EMPTY_ROOT, NodeState, StateDiff, StateView,
};

const ALICE: Address = Address::with_last_byte(1);

fn account(nonce: u64) -> Account {
    Account { nonce, ..Account::default() }
}

fn one(address: Address, diff: AccountDiff) -> StateDiff {
    StateDiff { accounts: vec![AccountDiff { address, ..diff }], ..StateDiff::default() }
}

fn set(nonce: u64, storage: &[(u64, u64)]) -> AccountDiff {
    let storage = storage.iter().map(|(slot, value)| (U256::from(*slot), U256::from(*value)));
    AccountDiff {
        account: Some(account(nonce)),
        storage: storage.collect(),
        ..AccountDiff::default()
    }
}

fn gone() -> AccountDiff {
    AccountDiff::default()
}

fn apply_all(diffs: &[StateDiff]) -> (NodeState, Model) {
    let (mut state, mut model) = (NodeState::default(), Model::default());
    for diff in diffs {
        state.apply(diff);
        model.apply(diff);
    }
    (state, model)
}

fn verify(root: B256, key: B256, value: Option<Vec<u8>>, proof: &[Bytes]) {
    verify_proof(root, Nibbles::unpack(key), value, proof)
        .unwrap_or_else(|error| panic!("proof of {key}: {error}"));
}

fn verify_account(root: B256, address: &Address, proof: &AccountProof) {
    let storage_root = proof.storage_root;
    let leaf = proof.account.map(|Account { nonce, balance, code_hash }| {
        alloy_rlp::encode(TrieAccount { nonce, balance, storage_root, code_hash })
    });
    verify(root, keccak256(address), leaf, &proof.account_proof);
    for slot in &proof.storage {
        let value = (!slot.value.is_zero()).then(|| alloy_rlp::encode(slot.value));
        verify(storage_root, keccak256(B256::from(slot.slot)), value, &slot.proof);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn roots_and_reads_equal_the_model(
        diffs in collection::vec(diff(), 1..6),
        reads in collection::vec((address(), slot()), 16),
    ) {
        let (mut state, mut model) = (NodeState::default(), Model::default());
        for diff in &diffs {
            let roots = state.apply(diff);
            model.apply(diff);
            prop_assert_eq!(roots.state_root, model.state_root());
            let passer_root = model.storage_root(&MESSAGE_PASSER);
            prop_assert_eq!(roots.message_passer_storage_root, passer_root);
            prop_assert_eq!(state.roots(), roots);
        }
        prop_assert_eq!(state.flat().account_count(), model.0.len());
        prop_assert_eq!(&common::content(state.flat()), &model);
        for (address, (_, slots)) in &model.0 {
            let held: BTreeMap<U256, U256> = state.flat().slots_of(address).collect();
            prop_assert_eq!(&held, slots);
        }
        for (address, slot) in &reads {
            let entry = model.0.get(address);
            let value = entry.and_then(|(_, slots)| slots.get(slot)).copied().unwrap_or_default();
            prop_assert_eq!(state.account(address), entry.map(|(account, _)| *account));
            prop_assert_eq!(state.storage(address, *slot), value);
        }
    }

    #[test]
    fn proofs_verify_against_the_state_root(
        diffs in collection::vec(diff(), 1..4),
        reads in collection::vec((address(), collection::vec(slot(), 0..4)), 8),
    ) {
        let (state, model) = apply_all(&diffs);
        for (address, slots) in &reads {
            let proof = state.proof(address, slots);
            verify_account(model.state_root(), address, &proof);
            prop_assert_eq!(proof.account, state.account(address));
            prop_assert_eq!(proof.storage_root, model.storage_root(address));
            for (slot, proven) in slots.iter().zip(&proof.storage) {
                prop_assert_eq!(proven.slot, *slot);
                prop_assert_eq!(proven.value, state.storage(address, *slot));
            }
        }
    }

    /// From any state, `apply(a); apply(b)` equals `apply(a.merge(b))`.
    #[test]
    fn merge_is_sequential_composition(base in diff(), a in diff(), b in diff()) {
        let (stepwise, _) = apply_all(&[base.clone(), a.clone(), b.clone()]);
        let mut merged = a;
        merged.merge(b);
        let (at_once, model) = apply_all(&[base, merged]);
        prop_assert_eq!(stepwise.roots(), at_once.roots());
        prop_assert_eq!(stepwise.roots().state_root, model.state_root());
        for (address, (_, slots)) in &model.0 {
            prop_assert_eq!(stepwise.account(address), at_once.account(address));
            for slot in slots.keys() {
                prop_assert_eq!(stepwise.storage(address, *slot), at_once.storage(address, *slot));
            }
        }
    }

    #[test]
    fn merge_is_associative(a in diff(), b in diff(), c in diff()) {
        let mut left = a.clone();
        left.merge(b.clone());
        left.merge(c.clone());
        let mut tail = b;
        tail.merge(c);
        let mut right = a;
        right.merge(tail);
        left.sort();
        right.sort();
        prop_assert_eq!(left, right);
    }
}

#[test]
fn empty_state_has_the_empty_root() {
    let (state, roots) = NodeState::from_genesis(&StateDiff::default());
    assert_eq!(roots.state_root, EMPTY_ROOT);
    assert_eq!(roots.message_passer_storage_root, EMPTY_ROOT);
    let proof = state.proof(&ALICE, &[U256::ZERO]);
    assert_eq!((proof.account, proof.account_proof.len()), (None, 0));
    assert_eq!((proof.storage_root, proof.storage[0].proof.len()), (EMPTY_ROOT, 0));
}

#[test]
fn empty_account_stays_until_a_diff_removes_it() {
    let (mut state, _) = NodeState::from_genesis(&one(ALICE, set(0, &[(1, 1)])));
    assert!(state.account(&ALICE).is_some_and(|account| account.is_empty()));
    assert_eq!(state.storage(&ALICE, U256::from(1)), U256::from(1));
    let roots = state.apply(&one(ALICE, gone()));
    assert_eq!(state.account(&ALICE), None);
    assert_eq!(roots.state_root, EMPTY_ROOT);
}

#[test]
fn recreated_account_has_no_storage() {
    let (mut state, before) = NodeState::from_genesis(&one(ALICE, set(1, &[(1, 7), (2, 8)])));
    state.apply(&one(ALICE, gone()));
    let roots = state.apply(&one(ALICE, set(1, &[(2, 9)])));
    assert_eq!(state.storage(&ALICE, U256::from(1)), U256::ZERO);
    assert_eq!(state.storage(&ALICE, U256::from(2)), U256::from(9));
    assert_ne!(roots, before);
    let fresh = NodeState::from_genesis(&one(ALICE, set(1, &[(2, 9)]))).1;
    assert_eq!(roots, fresh);
}

#[test]
fn clearing_drops_old_slots_and_keeps_new_ones() {
    let (mut state, _) = NodeState::from_genesis(&one(ALICE, set(1, &[(1, 7), (2, 8)])));
    let cleared = AccountDiff { storage_cleared: true, ..set(1, &[(2, 9)]) };
    let roots = state.apply(&one(ALICE, cleared));
    assert_eq!(state.storage(&ALICE, U256::from(1)), U256::ZERO);
    assert_eq!(state.storage(&ALICE, U256::from(2)), U256::from(9));
    assert_eq!(roots, NodeState::from_genesis(&one(ALICE, set(1, &[(2, 9)]))).1);
}

#[test]
fn roots_include_the_message_passers_storage_root() {
    let (state, roots) = NodeState::from_genesis(&one(MESSAGE_PASSER, set(1, &[(5, 1)])));
    assert_ne!(roots.message_passer_storage_root, EMPTY_ROOT);
    let proof = state.proof(&MESSAGE_PASSER, &[U256::from(5)]);
    assert_eq!(proof.storage_root, roots.message_passer_storage_root);
    verify_account(roots.state_root, &MESSAGE_PASSER, &proof);
}

#[test]
fn code_is_found_by_hash_and_analysed() {
    let code = code_of(1);
    let hash = keccak256(&code);
    let mut diff = one(
        ALICE,
        AccountDiff {
            account: Some(Account { code_hash: hash, ..account(1) }),
            ..AccountDiff::default()
        },
    );
    diff.codes.push((hash, code.clone()));
    let (mut state, _) = NodeState::from_genesis(&diff);
    let stored = StateView::code(&mut state, &hash).expect("infallible");
    assert_eq!(stored.original_bytes(), code);
    assert!(stored.legacy_jump_table().is_some_and(|table| table.is_valid(2)));
    assert!(state.code(&KECCAK256_EMPTY).is_some_and(|code| code.is_empty()));
    assert!(state.code(&B256::ZERO).is_none());
}

#[test]
#[should_panic(expected = "invariant: code")]
fn account_without_its_code_panics() {
    let account = Account { code_hash: B256::repeat_byte(1), ..account(1) };
    let diff = AccountDiff { account: Some(account), ..AccountDiff::default() };
    let _ = NodeState::from_genesis(&one(ALICE, diff));
}

#[test]
fn readers_share_one_state() {
    let (state, _) = NodeState::from_genesis(&one(ALICE, set(3, &[])));
    let read = || {
        let mut view = state.flat();
        StateView::account(&mut view, &ALICE).expect("infallible").map(|(account, _)| account.nonce)
    };
    std::thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read)];
        assert!(readers.into_iter().all(|reader| reader.join().expect("no panic") == Some(3)));
    });
}
