//! Predictions of functions of common contracts.

use super::*;
use crate::profile::rule::HashOrder::PositionFirst;

const ALICE: Address = Address::repeat_byte(1);
const BOB: Address = Address::repeat_byte(2);
const CAROL: Address = Address::repeat_byte(3);
const DAVE: Address = Address::repeat_byte(4);

#[test]
fn token_transfer_is_predicted_after_two_runs() {
    let mut profiles = Profiles::default();
    let (data, _) = transfer(CAROL, DAVE);
    let call = Call { caller: CAROL, to: TOKEN, data: &data };
    assert_eq!(slots(&profiles, call), None);
    teach_transfer(&mut profiles, ALICE, BOB);
    assert_eq!(slots(&profiles, call), None, "one run is not enough");
    teach_transfer(&mut profiles, BOB, CAROL);

    let mut out = Predictions::default();
    profiles.predict([(3, call)].into_iter(), has_code, &mut out);
    assert_eq!(out.accounts, [(3, TOKEN, Access::Read)]);
    assert_eq!(out.known, [(3, GAS)]);
    let inputs = [CAROL, DAVE].map(|of| KeyFirst.input(&word(of), U256::from(2)));
    let mut hashes = inputs.map(|input| (3, input, keccak256(input)));
    hashes.sort_unstable();
    out.hashes.sort_unstable();
    assert_eq!(out.hashes, hashes);
    assert_eq!(slots(&profiles, call), Some(balances(&[CAROL, DAVE])));
}

#[test]
fn allowances_are_followed_through_two_mappings() {
    let mut profiles = Profiles::default();
    let transfer_from = |spender: Address, from: Address, to: Address| {
        let data = calldata(&[word(from), word(to), number(5)]);
        let mut run = Run::of(Call { caller: spender, to: TOKEN, data: &data });
        run.nested(TOKEN, [word(from), word(spender)], 1);
        run.mapping(TOKEN, word(from), 0);
        run.mapping(TOKEN, word(to), 0);
        (data, run)
    };
    // The first spender moves its own tokens, so the first run does not show which address has
    // which role.
    for (spender, from, to) in [(ALICE, ALICE, BOB), (BOB, CAROL, ALICE), (CAROL, BOB, ALICE)] {
        let (data, run) = transfer_from(spender, from, to);
        teach(&mut profiles, Call { caller: spender, to: TOKEN, data: &data }, &run);
    }
    let (data, _) = transfer_from(DAVE, BOB, CAROL);
    let allowance = slot_of(word(DAVE), slot_of(word(BOB), U256::from(1)));
    let [from, to] = [BOB, CAROL].map(|of| slot_of(word(of), U256::ZERO));
    let predicted = slots(&profiles, Call { caller: DAVE, to: TOKEN, data: &data });
    assert_eq!(predicted, Some(written(TOKEN, &[allowance, from, to])));
}

#[test]
fn approvals_depend_on_the_caller() {
    let mut profiles = Profiles::default();
    for (owner, spender) in [(ALICE, BOB), (BOB, CAROL)] {
        let data = calldata(&[word(spender), number(5)]);
        let call = Call { caller: owner, to: TOKEN, data: &data };
        let mut run = Run::of(call);
        run.nested(TOKEN, [word(owner), word(spender)], 1);
        teach(&mut profiles, call, &run);
    }
    let data = calldata(&[word(ALICE), number(5)]);
    let allowance = slot_of(word(ALICE), slot_of(word(DAVE), U256::from(1)));
    let predicted = slots(&profiles, Call { caller: DAVE, to: TOKEN, data: &data });
    assert_eq!(predicted, Some(written(TOKEN, &[allowance])));
}

#[test]
fn three_nested_mappings_with_structs_are_followed() {
    let mut profiles = Profiles::default();
    let path = |run: &mut Run, caller: Address, words: [u64; 2]| {
        let outer = run.hash(TOKEN, KeyFirst, word(caller), U256::from(9)) + U256::from(4);
        let middle = run.hash(TOKEN, KeyFirst, number(words[0]), outer);
        run.hash(TOKEN, KeyFirst, number(words[1]), middle) + U256::from(1)
    };
    for (caller, words) in [(ALICE, [100, 200]), (BOB, [300, 400])] {
        let data = calldata(&words.map(number));
        let call = Call { caller, to: TOKEN, data: &data };
        let mut run = Run::of(call);
        let slot = path(&mut run, caller, words);
        run.slot(TOKEN, slot, true);
        teach(&mut profiles, call, &run);
    }
    let data = calldata(&[500, 600].map(number));
    let slot = path(&mut Run::default(), CAROL, [500, 600]);
    let predicted = slots(&profiles, Call { caller: CAROL, to: TOKEN, data: &data });
    assert_eq!(predicted, Some(written(TOKEN, &[slot])));
}

#[test]
fn fields_of_a_struct_share_a_hash() {
    let mut profiles = Profiles::default();
    let fields = |run: &mut Run, of: Address| {
        let slot = run.hash(TOKEN, KeyFirst, word(of), U256::from(6));
        [0, 1, 3, 15].map(|field| slot + U256::from(field))
    };
    for caller in [ALICE, BOB] {
        let call = Call { caller, to: TOKEN, data: &SELECTOR };
        let mut run = Run::of(call);
        for slot in fields(&mut run, caller) {
            run.slot(TOKEN, slot, true);
        }
        teach(&mut profiles, call, &run);
    }
    let mut out = Predictions::default();
    let call = Call { caller: CAROL, to: TOKEN, data: &SELECTOR };
    profiles.predict([(0, call)].into_iter(), has_code, &mut out);
    let expected = fields(&mut Run::default(), CAROL);
    assert_eq!(slots(&profiles, call), Some(written(TOKEN, &expected)));
    let hash = keccak256(KeyFirst.input(&word(CAROL), U256::from(6)));
    assert!(out.hashes.iter().all(|(_, _, of)| *of == hash), "{:?}", out.hashes);
}

#[test]
fn position_first_mappings_are_followed() {
    let mut profiles = Profiles::default();
    for caller in [ALICE, BOB] {
        let call = Call { caller, to: TOKEN, data: &SELECTOR };
        let mut run = Run::of(call);
        let slot = run.hash(TOKEN, PositionFirst, word(caller), U256::from(2));
        run.slot(TOKEN, slot, true);
        teach(&mut profiles, call, &run);
    }
    let slot = U256::from_be_bytes(keccak256(PositionFirst.input(&word(DAVE), U256::from(2))).0);
    let predicted = slots(&profiles, Call { caller: DAVE, to: TOKEN, data: &SELECTOR });
    assert_eq!(predicted, Some(written(TOKEN, &[slot])));
}

#[test]
fn coincidentally_constant_keys_still_depend_on_the_call() {
    let mut profiles = Profiles::default();
    // All calls have the same recipient, which is still a word of the calldata.
    for from in [ALICE, BOB, CAROL, ALICE] {
        teach_transfer(&mut profiles, from, DAVE);
    }
    let (data, _) = transfer(ALICE, BOB);
    let predicted = slots(&profiles, Call { caller: ALICE, to: TOKEN, data: &data });
    assert_eq!(predicted, Some(balances(&[ALICE, BOB])));
}

#[test]
fn paid_accounts_are_found_in_the_calldata() {
    let mut profiles = Profiles::default();
    let pay = |caller: Address, payee: Address| {
        let data = calldata(&[number(1), word(payee)]);
        let mut run = Run::of(Call { caller, to: TOKEN, data: &data });
        run.account(payee, true);
        (data, run)
    };
    let accounts = |profiles: &Profiles, payee: Address| {
        let (data, _) = pay(ALICE, payee);
        let call = Call { caller: ALICE, to: TOKEN, data: &data };
        let mut out = Predictions::default();
        profiles.predict([(0, call)].into_iter(), has_code, &mut out);
        assert_eq!(out.unknown, [0; 0]);
        out.accounts.into_iter().map(|(_, address, access)| (address, access)).collect::<Vec<_>>()
    };
    // A caller that pays itself proves nothing, because every run writes the caller's account.
    for caller in [ALICE, BOB] {
        let (data, run) = pay(caller, caller);
        teach(&mut profiles, Call { caller, to: TOKEN, data: &data }, &run);
    }
    assert_eq!(accounts(&profiles, DAVE), [(TOKEN, Access::Read)]);
    for (caller, payee) in [(ALICE, BOB), (BOB, CAROL)] {
        let (data, run) = pay(caller, payee);
        teach(&mut profiles, Call { caller, to: TOKEN, data: &data }, &run);
    }
    assert_eq!(accounts(&profiles, DAVE), [(DAVE, Access::Write), (TOKEN, Access::Read)]);
}

#[test]
fn hashes_of_a_large_batch_match_their_inputs() {
    let mut profiles = Profiles::default();
    let run_of = |from: Address, to: Address| {
        let (data, mut run) = transfer(from, to);
        run.nested(TOKEN, [word(to), word(from)], 3);
        (data, run)
    };
    for (from, to) in [(ALICE, BOB), (BOB, CAROL)] {
        let (data, run) = run_of(from, to);
        teach(&mut profiles, Call { caller: from, to: TOKEN, data: &data }, &run);
    }
    let pairs: Vec<_> = (1..100).map(|seed| (person(seed), person(seed / 2 + 1))).collect();
    let runs: Vec<_> = pairs.iter().map(|(from, to)| run_of(*from, *to)).collect();
    let calls = pairs.iter().zip(&runs).zip(0_u32..);
    let calls =
        calls.map(|(((from, _), (data, _)), tx)| (tx, Call { caller: *from, to: TOKEN, data }));
    let mut out = Predictions::default();
    // Predict in two parts, the second appended to the first.
    let calls: Vec<_> = calls.collect();
    profiles.predict(calls[..70].iter().copied(), |_| false, &mut out);
    profiles.predict(calls[70..].iter().copied(), |_| false, &mut out);
    assert!(out.hashes.is_sorted_by_key(|(tx, ..)| *tx));
    assert!(out.hashes.iter().all(|(_, input, hash)| keccak256(input) == *hash));
    for (tx, (_, run)) in (0..).zip(&runs) {
        let of_tx = out.slots.iter().filter(|(of, ..)| *of == tx);
        let mut predicted: Vec<_> = of_tx.map(|(_, _, slot, _)| *slot).collect();
        let mut touched: Vec<_> = run.touches.iter().filter_map(|touch| touch.key.slot).collect();
        predicted.sort_unstable();
        predicted.dedup();
        touched.sort_unstable();
        touched.dedup();
        assert_eq!(predicted, touched, "transaction {tx}");
    }
    out.clear();
    profiles.predict(calls[..1].iter().copied(), |_| false, &mut out);
    assert_eq!((out.known.len(), out.hashes.len()), (1, 4));
}

#[test]
fn hash_is_shared_across_chunks() {
    let mut profiles = Profiles::default();
    let call = |seed: u8| Call { caller: person(seed), to: TOKEN, data: &SELECTOR };
    for seed in 1..=2 {
        let mut run = Run::of(call(seed));
        run.mapping(TOKEN, word(person(seed)), 2);
        teach(&mut profiles, call(seed), &run);
    }
    let mut out = Predictions::default();
    // As many inputs as one chunk hashes, and the last input again.
    let seeds = (1..=64).chain([64, 65]);
    profiles.predict((0..).zip(seeds.clone().map(call)), has_code, &mut out);
    let predicted = out.slots.iter().map(|(_, _, slot, _)| *slot);
    let expected = seeds.map(|seed| slot_of(word(person(seed)), U256::from(2)));
    assert_eq!(predicted.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}
