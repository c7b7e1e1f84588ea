//! Joins overlays that lanes computed in parallel.

mod common;

use alloy_primitives::{Address, U256, keccak256};
use common::{code_of, content, diff, set};
use proptest::{collection, prelude::*};
use turnpike_state::{Account, AccountDiff, NodeState, StateDiff};

const TOKEN: Address = Address::with_last_byte(7);

/// Distributes a diff over lanes. Slots of an account go to several lanes unless its storage is
/// removed; everything else goes to one lane.
fn deal(diff: &StateDiff, lanes: usize, mut choose: impl FnMut() -> usize) -> Vec<StateDiff> {
    let mut overlays = vec![StateDiff::default(); lanes];
    for change in &diff.accounts {
        let whole = change.account.is_none() || change.storage_cleared;
        if whole || change.storage.is_empty() {
            overlays[choose() % lanes].accounts.push(change.clone());
            continue;
        }
        let mut parts = vec![Vec::new(); lanes];
        for slot in &change.storage {
            parts[choose() % lanes].push(*slot);
        }
        for (overlay, storage) in overlays.iter_mut().zip(parts) {
            if !storage.is_empty() {
                overlay.accounts.push(AccountDiff { storage, ..change.clone() });
            }
        }
    }
    for code in &diff.codes {
        overlays[choose() % lanes].codes.push(code.clone());
        overlays[choose() % lanes].codes.push(code.clone());
    }
    overlays
}

fn one(change: AccountDiff) -> StateDiff {
    StateDiff { accounts: vec![change], ..StateDiff::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn join_equals_applying_the_overlays_in_turn(
        base in diff(),
        diff in diff(),
        lanes in 1_usize..6,
        choices in collection::vec(any::<usize>(), 256),
        reverse in any::<bool>(),
    ) {
        let mut choices = choices.iter().copied().cycle();
        let overlays = deal(&diff, lanes, || choices.next().expect("the sequence is endless"));
        let (mut joined, _) = NodeState::from_genesis(&base);
        let mut stepwise = joined.clone();
        let mut steps: Vec<&StateDiff> = overlays.iter().collect();
        if reverse {
            steps.reverse();
        }
        // Any overlay may come first, and its accounts need the codes.
        stepwise.apply(&StateDiff { codes: diff.codes.clone(), ..StateDiff::default() });
        for overlay in steps {
            stepwise.apply(overlay);
        }
        let mut join = StateDiff::join(overlays.clone());
        joined.apply(&join);
        prop_assert_eq!(joined.roots(), stepwise.roots());
        prop_assert_eq!(content(joined.flat()), content(stepwise.flat()));
        if lanes > 1 {
            let mut expected = diff;
            expected.sort();
            join.sort();
            prop_assert_eq!(join, expected);
        }
    }
}

#[test]
fn join_of_empty_diffs_is_empty() {
    assert!(StateDiff::join(Vec::new()).is_empty());
    assert!(StateDiff::join(vec![StateDiff::default(); 3]).is_empty());
}

#[test]
fn join_collects_slots_of_one_account_and_deduplicates_code() {
    let code = (keccak256(code_of(1)), code_of(1));
    let lane = |storage: &[(u64, u64)]| StateDiff {
        accounts: vec![set(TOKEN, 1, storage)],
        codes: vec![code.clone()],
    };
    let touched = one(set(TOKEN, 1, &[]));
    let joined = StateDiff::join(vec![touched, lane(&[(1, 2)]), lane(&[(3, 4), (5, 6)])]);
    let expected = set(TOKEN, 1, &[(1, 2), (3, 4), (5, 6)]);
    assert_eq!(joined, StateDiff { accounts: vec![expected], codes: vec![code] });
}

#[test]
#[should_panic(expected = "invariant: overlays agree on account")]
fn overlays_that_disagree_on_an_account_panic() {
    let lanes = [set(TOKEN, 1, &[(1, 2)]), set(TOKEN, 2, &[(3, 4)])];
    let _ = StateDiff::join(lanes.map(one).into());
}

#[test]
#[should_panic(expected = "invariant: overlays agree on account")]
fn overlay_that_changes_only_the_account_panics() {
    let paid = Account { balance: U256::from(5), nonce: 1, ..Account::default() };
    let paid = AccountDiff { account: Some(paid), ..set(TOKEN, 1, &[]) };
    let _ = StateDiff::join(vec![one(paid), one(set(TOKEN, 1, &[(3, 4)]))]);
}

#[test]
#[should_panic(expected = "invariant: overlays agree on account")]
fn overlay_that_removes_an_account_with_slots_panics() {
    let gone = AccountDiff { address: TOKEN, ..AccountDiff::default() };
    let _ = StateDiff::join(vec![one(set(TOKEN, 1, &[(3, 4)])), one(gone)]);
}

#[test]
#[should_panic(expected = "invariant: overlays agree on account")]
fn overlay_that_clears_the_storage_of_another_panics() {
    let cleared = AccountDiff { storage_cleared: true, ..set(TOKEN, 1, &[(1, 2)]) };
    let _ = StateDiff::join(vec![one(set(TOKEN, 1, &[(3, 4)])), one(cleared)]);
}

#[test]
#[should_panic(expected = "invariant: a diff names each account and each slot once")]
fn slot_set_by_two_overlays_panics() {
    let base = one(set(TOKEN, 1, &[(3, 1)]));
    let (mut state, _) = NodeState::from_genesis(&base);
    let lanes = [set(TOKEN, 1, &[(3, 4)]), set(TOKEN, 1, &[(3, 5)])];
    state.apply(&StateDiff::join(lanes.map(one).into()));
}
