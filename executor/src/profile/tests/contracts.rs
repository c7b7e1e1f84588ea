//! Which of the contracts that calls name are relevant.

use super::*;
use crate::profile::lessons::LEARNING_RUNS;

#[test]
fn only_words_that_named_contracts_are_examined() {
    let mut profiles = Profiles::default();
    (1..=4).for_each(|seed| teach_transfer(&mut profiles, person(seed), person(seed + 1)));
    let (data, _) = transfer(person(1), token(1));
    let call = Call { caller: person(1), to: TOKEN, data: &data };
    let mut out = Predictions::default();
    let unasked = |_: &Address| -> bool { panic!("no code lookup expected") };
    profiles.predict([(0, call)].into_iter(), unasked, &mut out);
    assert_eq!(out.known, [(0, GAS)]);
    assert_eq!(slots(&profiles, call), Some(balances(&[person(1), token(1)])));
}

#[test]
fn irrelevant_contracts_are_no_longer_examined() {
    let mut profiles = Profiles::default();
    teach_transfer(&mut profiles, person(1), token(1));
    (1..=4).for_each(|seed| teach_transfer(&mut profiles, person(seed), person(seed + 1)));
    let call_to = |last: u8| transfer(person(1), token(last)).0;
    let should_learn = |profiles: &Profiles, last: u8| {
        let data = call_to(last);
        profiles.should_learn(Call { caller: person(1), to: TOKEN, data: &data }, has_code)
    };
    for last in 2..=5 {
        assert!(should_learn(&profiles, last), "a word has named a contract that may matter");
        let data = call_to(last);
        let call = Call { caller: person(1), to: TOKEN, data: &data };
        assert_eq!(slots(&profiles, call), Some(balances(&[person(1), token(last)])));
        teach_transfer(&mut profiles, person(1), token(last));
    }
    assert!(!should_learn(&profiles, 6));
    assert_eq!(profiles.counters().functions, 2);
}

#[test]
fn contract_that_turns_out_relevant_gets_a_variant() {
    let mut profiles = Profiles::default();
    (1..=4).for_each(|seed| teach_transfer(&mut profiles, person(seed), person(seed + 1)));
    let (data, mut run) = transfer(person(1), token(1));
    let call = Call { caller: person(1), to: TOKEN, data: &data };
    // The recipient contract is notified.
    run.slot(token(1), U256::from(1), true);
    profiles.miss(call, has_code);
    assert_eq!(
        slots(&profiles, call),
        None,
        "other contracts' runs do not predict this contract's"
    );
    for _ in 0..LEARNING_RUNS {
        assert!(profiles.should_learn(call, has_code));
        teach(&mut profiles, call, &run);
    }
    assert!(!profiles.should_learn(call, has_code));
    let mut expected = balances(&[person(1), token(1)]);
    expected.extend(written(token(1), &[U256::from(1)]));
    assert_eq!(slots(&profiles, call), Some(expected));
    let (data, _) = transfer(person(1), person(2));
    let call = Call { caller: person(1), to: TOKEN, data: &data };
    assert_eq!(
        slots(&profiles, call),
        Some(balances(&[person(1), person(2)])),
        "other contracts' forecasts do not change"
    );
}

#[test]
fn contract_with_its_own_accesses_gets_a_variant_at_once() {
    let more: [fn(&mut Run); 4] = [
        |run| run.slot(token(1), U256::from(1), true),
        |run| run.account(token(1), false),
        |run| run.account(TOKEN, true),
        |run| run.slot(TOKEN, U256::from(1), true),
    ];
    for (number, more) in more.into_iter().enumerate() {
        let mut profiles = Profiles::default();
        teach_transfer(&mut profiles, person(1), token(9));
        (1..=4).for_each(|seed| teach_transfer(&mut profiles, person(seed), person(seed + 1)));
        let (data, mut run) = transfer(person(1), token(1));
        let call = Call { caller: person(1), to: TOKEN, data: &data };
        more(&mut run);
        for _ in 0..LEARNING_RUNS {
            teach(&mut profiles, call, &run);
        }
        assert_eq!(profiles.counters().functions, 3, "case {number}");
        assert!(!profiles.should_learn(call, has_code));
    }
}

#[test]
fn irrelevant_contracts_stay_ignored_when_the_plain_variant_is_relearned() {
    let mut profiles = Profiles::default();
    teach_transfer(&mut profiles, person(1), token(1));
    (1..=4).for_each(|seed| teach_transfer(&mut profiles, person(seed), person(seed + 1)));
    (2..=5).for_each(|last| teach_transfer(&mut profiles, person(1), token(last)));
    let (data, _) = transfer(person(1), person(2));
    let call = Call { caller: person(1), to: TOKEN, data: &data };
    profiles.miss(call, has_code);
    assert_eq!(slots(&profiles, call), None);
    (1..=2).for_each(|last| teach_transfer(&mut profiles, person(last), token(last)));
    assert_eq!(slots(&profiles, call), Some(balances(&[person(1), person(2)])));
}

#[test]
fn slot_of_a_contract_recipient_is_hashed_once() {
    let mut profiles = Profiles::default();
    (1..=2).for_each(|seed| teach_transfer(&mut profiles, person(seed), token(1)));
    let (data, _) = transfer(person(5), token(1));
    let call = Call { caller: person(5), to: TOKEN, data: &data };
    let mut out = Predictions::default();
    profiles.predict([(0, call)].into_iter(), has_code, &mut out);
    assert_eq!(out.hashes.len(), 1);
    assert_eq!(slots(&profiles, call), Some(balances(&[person(5), token(1)])));
}

#[test]
fn caller_with_code_counts_as_a_key() {
    let mut profiles = Profiles::default();
    (1..=2).for_each(|last| teach_transfer(&mut profiles, token(last), token(last)));
    assert_eq!(profiles.counters().functions, 1);
    let (data, _) = transfer(token(3), token(3));
    let call = Call { caller: token(3), to: TOKEN, data: &data };
    assert_eq!(slots(&profiles, call), Some(balances(&[token(3)])));
}
