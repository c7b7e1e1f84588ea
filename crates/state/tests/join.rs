//! Overlays that were made side by side, as one diff.

mod common;

use alloy_primitives::{Address, U256, keccak256};
use common::{code_of, content, diff, set};
use proptest::{collection, prelude::*};
use turnpike_state::{Account, AccountDiff, NodeState, StateDiff};

const TOKEN: Address = Address::with_last_byte(7);

/// Deals out a diff: slots of an account among lanes, unless its storage goes away, everything
/// else to one lane each.
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
    fn a_join_is_what_the_overlays_amount_to(
        base in diff(),
        diff in diff(),
        lanes in 1_usize..6,
        choices in collection::vec(any::<usize>(), 256),
        reverse in any::<bool>(),
    ) {
        let mut choices = choices.iter().copied().cycle();
        let overlays = deal(&diff, lanes, || choices.next().expect("endless"));
        let (mut joined, _) = NodeState::from_genesis(&base);
        let mut stepwise = joined.clone();
        let mut steps: Vec<&StateDiff> = overlays.iter().collect();
        if reverse {
            steps.reverse();
        }
        // Whichever comes first, its accounts can have the codes.
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
fn nothing_joined_is_nothing() {
    assert!(StateDiff::join(Vec::new()).is_empty());
    assert!(StateDiff::join(vec![StateDiff::default(); 3]).is_empty());
}

#[test]
fn slots_of_one_account_come_together_and_code_is_there_once() {
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
fn overlays_that_say_different_things_of_an_account_are_refused() {
    let lanes = [set(TOKEN, 1, &[(1, 2)]), set(TOKEN, 2, &[(3, 4)])];
    let _ = StateDiff::join(lanes.map(one).into());
}

#[test]
#[should_panic(expected = "invariant: overlays agree on account")]
fn an_account_that_changes_besides_its_slots_is_refused() {
    let paid = Account { balance: U256::from(5), nonce: 1, ..Account::default() };
    let paid = AccountDiff { account: Some(paid), ..set(TOKEN, 1, &[]) };
    let _ = StateDiff::join(vec![one(paid), one(set(TOKEN, 1, &[(3, 4)]))]);
}

#[test]
#[should_panic(expected = "invariant: overlays agree on account")]
fn an_account_that_goes_away_besides_its_slots_is_refused() {
    let gone = AccountDiff { address: TOKEN, ..AccountDiff::default() };
    let _ = StateDiff::join(vec![one(set(TOKEN, 1, &[(3, 4)])), one(gone)]);
}

#[test]
#[should_panic(expected = "invariant: overlays agree on account")]
fn storage_that_is_cleared_in_one_of_two_overlays_is_refused() {
    let cleared = AccountDiff { storage_cleared: true, ..set(TOKEN, 1, &[(1, 2)]) };
    let _ = StateDiff::join(vec![one(set(TOKEN, 1, &[(3, 4)])), one(cleared)]);
}

#[test]
#[should_panic(expected = "invariant: a diff names each account and each slot once")]
fn a_slot_that_two_overlays_set_is_refused() {
    let base = one(set(TOKEN, 1, &[(3, 1)]));
    let (mut state, _) = NodeState::from_genesis(&base);
    let lanes = [set(TOKEN, 1, &[(3, 4)]), set(TOKEN, 1, &[(3, 5)])];
    state.apply(&StateDiff::join(lanes.map(one).into()));
}
