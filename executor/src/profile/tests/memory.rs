//! Variants by the contracts of a path, full keys, and the limit of kept variants.

use super::*;
use crate::profile::FUNCTIONS_MAX;

const ROUTER: Address = Address::repeat_byte(0xaa);

/// A swap through a router: calldata and its run. The pool depends on both tokens.
fn swap(caller: Address, to: Address, path: [Address; 2]) -> (Vec<u8>, Run) {
    let [sold, bought] = path;
    let words = [number(7), number(1), number(160), word(to), number(9), number(2)];
    let data = calldata(&[words.as_slice(), &[word(sold), word(bought)]].concat());
    let pool = pool(path);
    let mut run = Run::of(Call { caller, to: ROUTER, data: &data });
    [sold, bought, pool].iter().for_each(|contract| run.account(*contract, false));
    run.mapping(sold, word(caller), 2);
    run.nested(sold, [word(caller), word(ROUTER)], 3);
    run.mapping(sold, word(pool), 2);
    run.mapping(bought, word(pool), 2);
    run.mapping(bought, word(to), 2);
    run.slot(pool, U256::from(8), true);
    (data, run)
}

fn pool([sold, bought]: [Address; 2]) -> Address {
    Address::from_word(keccak256([sold, bought].concat())) | Address::repeat_byte(0x80)
}

fn teach_swap(profiles: &mut Profiles, caller: Address, to: Address, path: [Address; 2]) {
    let (data, run) = swap(caller, to, path);
    teach(profiles, Call { caller, to: ROUTER, data: &data }, &run);
}

/// Whether exactly the writes of a swap are predicted.
fn is_predicted(
    profiles: &Profiles,
    caller: Address,
    to: Address,
    path: [Address; 2],
) -> Option<bool> {
    let (data, run) = swap(caller, to, path);
    let predicted = slots(profiles, Call { caller, to: ROUTER, data: &data })?;
    let keys = run.touches.iter().filter(|touch| touch.written);
    let mut keys: Vec<_> =
        keys.filter_map(|touch| Some((touch.key.address, touch.key.slot?))).collect();
    keys.sort_unstable();
    keys.dedup();
    let predicted: Vec<_> = predicted.into_iter().map(|(of, slot, _)| (of, slot)).collect();
    Some(predicted == keys)
}

#[test]
fn each_path_of_a_router_is_a_variant() {
    let mut profiles = Profiles::default();
    let [there, back, other] = [[1, 2], [2, 1], [1, 3]].map(|path| path.map(token));
    for path in [there, back] {
        for seed in 1..=4 {
            // Most callers swap for themselves.
            let to = if seed == 3 { person(9) } else { person(seed) };
            teach_swap(&mut profiles, person(seed), to, path);
        }
    }
    for path in [there, back] {
        assert_eq!(is_predicted(&profiles, person(7), person(7), path), Some(true));
        assert_eq!(is_predicted(&profiles, person(7), person(8), path), Some(true));
    }
    assert_eq!(is_predicted(&profiles, person(7), person(7), other), None);
    assert_eq!(profiles.counters().functions, 2);
}

#[test]
fn functions_differ_by_their_full_keys() {
    let mut profiles = Profiles::default();
    for last in [1, 2] {
        let call = Call { caller: person(1), to: token(last), data: &SELECTOR };
        for _ in 0..2 {
            let mut run = Run::of(call);
            run.slot(token(last), U256::from(last), true);
            teach(&mut profiles, call, &run);
        }
    }
    let call = |last, data| Call { caller: person(1), to: token(last), data };
    for last in [1, 2] {
        let expected = written(token(last), &[U256::from(last)]);
        assert_eq!(slots(&profiles, call(last, &SELECTOR)), Some(expected));
        assert_eq!(slots(&profiles, call(last, &SELECTOR[..3])), None, "no selector");
        assert_eq!(slots(&profiles, call(last, &[0xa9, 0x05, 0x9c, 0xba])), None);
    }
    assert_eq!(slots(&profiles, call(3, &SELECTOR)), None);
}

#[test]
fn keys_are_full_words() {
    let mut profiles = Profiles::default();
    let teach_word = |profiles: &mut Profiles, seed: u8| {
        let data = calldata(&[[seed; WORD_BYTES]]);
        let call = Call { caller: person(1), to: TOKEN, data: &data };
        let mut run = Run::of(call);
        run.mapping(TOKEN, [seed; WORD_BYTES], 2);
        teach(profiles, call, &run);
    };
    (1..=2).for_each(|seed| teach_word(&mut profiles, seed));
    for at in 0..WORD_BYTES {
        let mut key = [5; WORD_BYTES];
        key[at] = 6;
        let data = calldata(&[key]);
        let predicted = slots(&profiles, Call { caller: person(1), to: TOKEN, data: &data });
        let slot = slot_of(key, U256::from(2));
        assert_eq!(predicted, Some(written(TOKEN, &[slot])), "byte {at}");
    }
}

#[test]
fn used_variants_stay_within_the_limit() {
    let mut profiles = Profiles::default();
    (1..=4).for_each(|seed| teach_transfer(&mut profiles, person(seed), person(seed + 1)));
    let (data, _) = transfer(person(1), person(2));
    let popular = Call { caller: person(1), to: TOKEN, data: &data };
    for number in 0..3 * FUNCTIONS_MAX {
        let data = u32::try_from(number).expect("fits 32 bits").to_be_bytes();
        let call = Call { caller: person(1), to: ROUTER, data: &data };
        teach(&mut profiles, call, &Run::of(call));
        assert!(profiles.counters().functions <= FUNCTIONS_MAX);
        assert!(profiles.functions.len() <= FUNCTIONS_MAX);
        assert!(slots(&profiles, popular).is_some(), "after {number} others");
    }
    let counters = profiles.counters();
    assert_eq!(counters.functions, FUNCTIONS_MAX);
    assert_eq!(counters.evictions, u64::try_from(2 * FUNCTIONS_MAX + 1).expect("fits 64 bits"));
    assert_eq!(counters.learned, u64::try_from(3 * FUNCTIONS_MAX + 4).expect("fits 64 bits"));
}

#[test]
fn variants_of_one_function_are_evicted_like_others() {
    let mut profiles = Profiles::default();
    for number in 0..FUNCTIONS_MAX + 10 {
        let mut contract = token(0);
        contract[10..18].copy_from_slice(&number.to_be_bytes());
        teach_swap(&mut profiles, person(1), person(1), [token(1), contract]);
    }
    assert_eq!((profiles.counters().functions, profiles.functions.len()), (FUNCTIONS_MAX, 1));
    assert_eq!(profiles.counters().evictions, 10);
}

#[test]
fn calls_of_accounts_without_code_are_not_learned() {
    let profiles = Profiles::default();
    let call = Call { caller: person(1), to: person(2), data: &SELECTOR };
    assert!(!profiles.should_learn(call, has_code));
    assert!(profiles.should_learn(Call { to: TOKEN, ..call }, has_code));
}

#[test]
fn contracts_differ_by_every_byte() {
    let mut profiles = Profiles::default();
    let path = [1, 2].map(token);
    (1..=2).for_each(|seed| teach_swap(&mut profiles, person(seed), person(seed), path));
    assert_eq!(is_predicted(&profiles, person(7), person(7), path), Some(true));
    for byte in 0..Address::ZERO.len() {
        let mut other = token(2);
        other[byte] ^= 1;
        let predicted = is_predicted(&profiles, person(7), person(7), [token(1), other]);
        assert_eq!(predicted, None, "byte {byte}");
    }
}
