//! Accesses that are not predicted, or no longer predicted.

use super::*;
use crate::profile::{explain::TOUCHES_MAX, lessons::LEARNING_RUNS, variant::FORGIVE_AFTER_CALLS};

const POOL: Address = Address::repeat_byte(0x90);
const CALL: Call<'static> = Call { caller: Address::repeat_byte(1), to: POOL, data: &SELECTOR };

/// A run that writes a slot which depends on the state.
fn run_with(state: u64, is_guarded: bool) -> Run {
    let mut run = Run::of(CALL);
    run.slot(POOL, U256::from(1_000 + state), true);
    run.slot(POOL, U256::from(2_000 + state), false);
    run.slot(POOL, U256::from(8), is_guarded);
    run
}

#[test]
fn state_dependent_slots_are_dropped_behind_a_guard() {
    let mut profiles = Profiles::default();
    for state in 0..4 {
        assert!(profiles.should_learn(CALL, has_code));
        teach(&mut profiles, CALL, &run_with(state, true));
    }
    assert!(!profiles.should_learn(CALL, has_code));
    assert_eq!(slots(&profiles, CALL), Some(written(POOL, &[U256::from(8)])));
}

#[test]
fn rule_may_fail_in_one_run_of_four() {
    for (without, expected) in [(1, 2), (2, 1)] {
        let mut profiles = Profiles::default();
        for state in 0..4 {
            let mut run = run_with(state, true);
            if state >= without {
                run.slot(POOL, U256::from(9), false);
            }
            teach(&mut profiles, CALL, &run);
        }
        let slots = slots(&profiles, CALL).map(|slots| slots.len());
        assert_eq!(slots, Some(expected), "without in {without} runs");
    }
}

#[test]
fn unguarded_write_makes_a_function_unpredictable_for_a_while() {
    let mut profiles = Profiles::default();
    for state in 0..4 {
        teach(&mut profiles, CALL, &run_with(state, false));
    }
    assert!(!profiles.should_learn(CALL, has_code));
    for _ in 0..FORGIVE_AFTER_CALLS {
        assert!(!profiles.should_learn(CALL, has_code));
        assert_eq!(slots(&profiles, CALL), None);
    }
    assert!(profiles.should_learn(CALL, has_code));
    for state in 0..4 {
        teach(&mut profiles, CALL, &run_with(state, true));
    }
    assert_eq!(slots(&profiles, CALL), Some(written(POOL, &[U256::from(8)])));
}

#[test]
fn guard_in_another_contract_does_not_count() {
    let mut profiles = Profiles::default();
    for state in 0..4 {
        let mut run = run_with(state, false);
        run.slot(TOKEN, U256::from(8), true);
        teach(&mut profiles, CALL, &run);
    }
    assert_eq!(slots(&profiles, CALL), None);
}

#[test]
fn written_account_is_a_guard() {
    let mut profiles = Profiles::default();
    for state in 0..4 {
        let mut run = run_with(state, false);
        run.account(POOL, true);
        teach(&mut profiles, CALL, &run);
    }
    assert!(slots(&profiles, CALL).is_some());
}

#[test]
fn run_with_too_many_accesses_is_not_followed() {
    for (keys, is_known) in [(TOUCHES_MAX, true), (TOUCHES_MAX + 1, false)] {
        let mut profiles = Profiles::default();
        for _ in 0..2 {
            let mut run = Run::default();
            (0..keys).for_each(|slot| run.slot(POOL, U256::from(slot), false));
            teach(&mut profiles, CALL, &run);
        }
        assert_eq!(slots(&profiles, CALL).is_some(), is_known, "{keys} keys");
    }
}

#[test]
fn runs_with_too_many_accesses_together_are_not_followed() {
    for (keys, is_known) in [(32, true), (33, false)] {
        let mut profiles = Profiles::default();
        for run_number in 0..4 {
            let mut run = Run::default();
            (0..keys).for_each(|slot| run.slot(POOL, U256::from(100 * run_number + slot), false));
            teach(&mut profiles, CALL, &run);
        }
        assert_eq!(slots(&profiles, CALL).is_some(), is_known, "{keys} keys");
    }
}

#[test]
fn key_written_once_counts_as_written() {
    for writer in 0..2 {
        let mut profiles = Profiles::default();
        for number in 0..2 {
            let mut run = Run::of(CALL);
            run.slot(POOL, U256::from(8), number == writer);
            teach(&mut profiles, CALL, &run);
        }
        assert_eq!(slots(&profiles, CALL), Some(written(POOL, &[U256::from(8)])));
    }
}

#[test]
fn writes_take_precedence_over_reads() {
    let mut profiles = Profiles::default();
    for _ in 0..4 {
        let mut run = Run::default();
        (0..40).for_each(|slot| run.slot(POOL, U256::from(slot), slot >= 20));
        teach(&mut profiles, CALL, &run);
    }
    let slots = slots(&profiles, CALL).expect("all writes are predicted");
    let written = slots.iter().filter(|(.., access)| *access == Access::Write).count();
    assert_eq!((slots.len(), written), (crate::profile::lessons::RULES_MAX, 20));
}

#[test]
fn miss_restarts_learning() {
    let mut profiles = Profiles::default();
    let call = Call { caller: person(1), ..CALL };
    let teach_slot = |profiles: &mut Profiles, slot: u64| {
        for _ in 0..LEARNING_RUNS {
            let mut run = Run::of(call);
            run.slot(POOL, U256::from(slot), true);
            teach(profiles, call, &run);
        }
    };
    teach_slot(&mut profiles, 1);
    teach_slot(&mut profiles, 2);
    assert_eq!(
        slots(&profiles, call),
        Some(written(POOL, &[U256::from(1)])),
        "the forecast is final"
    );
    profiles.miss(call, has_code);
    assert!(profiles.should_learn(call, has_code));
    assert_eq!(slots(&profiles, call), None);
    teach_slot(&mut profiles, 2);
    assert_eq!(slots(&profiles, call), Some(written(POOL, &[U256::from(2)])));
}

#[test]
fn only_frequent_misses_make_a_function_unpredictable() {
    let relearn = |profiles: &mut Profiles| {
        for _ in 0..LEARNING_RUNS {
            teach(profiles, CALL, &run_with(0, true));
        }
    };
    for (calls_between, is_known) in [(0, false), (FORGIVE_AFTER_CALLS, true)] {
        let mut profiles = Profiles::default();
        relearn(&mut profiles);
        for miss in 0..3 {
            assert!(slots(&profiles, CALL).is_some(), "after {miss} misses");
            for _ in 0..calls_between {
                assert!(slots(&profiles, CALL).is_some());
            }
            profiles.miss(CALL, has_code);
            // The rest of a batch with the same prediction also misses.
            profiles.miss(CALL, has_code);
            profiles.miss(CALL, has_code);
            relearn(&mut profiles);
        }
        assert_eq!(slots(&profiles, CALL).is_some(), is_known, "{calls_between} calls between");
        assert_eq!(profiles.counters().misses, 9);
    }
}
