//! Contracts that calls name: which matter.

use super::*;
use crate::profile::lessons::LEARNING_RUNS;

#[test]
fn only_words_that_were_seen_to_name_contracts_are_looked_up() {
    let mut profiles = Profiles::default();
    (1..=4).for_each(|seed| teach_transfer(&mut profiles, person(seed), person(seed + 1)));
    let (data, _) = transfer(person(1), token(1));
    let call = Call { caller: person(1), to: TOKEN, data: &data };
    let mut out = Predictions::default();
    let unasked = |_: &Address| -> bool { panic!("nobody needs to know") };
    profiles.predict([(0, call)].into_iter(), unasked, &mut out);
    assert_eq!(out.known, [(0, GAS)]);
    assert_eq!(slots(&profiles, call), Some(balances(&[person(1), token(1)])));
}

#[test]
fn contracts_that_do_not_matter_are_forgotten() {
    let mut profiles = Profiles::default();
    teach_transfer(&mut profiles, person(1), token(1));
    (1..=4).for_each(|seed| teach_transfer(&mut profiles, person(seed), person(seed + 1)));
    let call_to = |last: u8| transfer(person(1), token(last)).0;
    let is_curious = |profiles: &Profiles, last: u8| {
        let data = call_to(last);
        profiles.is_curious(Call { caller: person(1), to: TOKEN, data: &data }, has_code)
    };
    for last in 2..=5 {
        assert!(is_curious(&profiles, last), "a word has named a contract that may matter");
        let data = call_to(last);
        let call = Call { caller: person(1), to: TOKEN, data: &data };
        assert_eq!(slots(&profiles, call), Some(balances(&[person(1), token(last)])));
        teach_transfer(&mut profiles, person(1), token(last));
    }
    assert!(!is_curious(&profiles, 6));
    assert_eq!(profiles.counters().functions, 2);
}

#[test]
fn a_contract_that_matters_after_all_gets_a_variant() {
    let mut profiles = Profiles::default();
    (1..=4).for_each(|seed| teach_transfer(&mut profiles, person(seed), person(seed + 1)));
    let (data, mut run) = transfer(person(1), token(1));
    let call = Call { caller: person(1), to: TOKEN, data: &data };
    // It is told of what it gets.
    run.slot(token(1), U256::from(1), true);
    profiles.miss(call, has_code);
    assert_eq!(slots(&profiles, call), None, "what others do says nothing of it");
    for _ in 0..LEARNING_RUNS {
        assert!(profiles.is_curious(call, has_code));
        teach(&mut profiles, call, &run);
    }
    assert!(!profiles.is_curious(call, has_code));
    let mut expected = balances(&[person(1), token(1)]);
    expected.extend(written(token(1), &[U256::from(1)]));
    assert_eq!(slots(&profiles, call), Some(expected));
    let (data, _) = transfer(person(1), person(2));
    let call = Call { caller: person(1), to: TOKEN, data: &data };
    assert_eq!(
        slots(&profiles, call),
        Some(balances(&[person(1), person(2)])),
        "no miss of theirs"
    );
}

#[test]
fn a_contract_that_does_more_than_people_gets_a_variant_at_once() {
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
        assert!(!profiles.is_curious(call, has_code));
    }
}

#[test]
fn contracts_that_do_not_matter_stay_forgotten_when_people_are_learned_anew() {
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
fn what_a_contract_is_the_key_of_is_not_hashed_again() {
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
fn a_caller_with_code_is_a_person() {
    let mut profiles = Profiles::default();
    (1..=2).for_each(|last| teach_transfer(&mut profiles, token(last), token(last)));
    assert_eq!(profiles.counters().functions, 1);
    let (data, _) = transfer(token(3), token(3));
    let call = Call { caller: token(3), to: TOKEN, data: &data };
    assert_eq!(slots(&profiles, call), Some(balances(&[token(3)])));
}
