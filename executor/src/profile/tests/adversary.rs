//! Arbitrary calls and arbitrary reports never break profiles or exceed their limits.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::profile::lessons::RULES_MAX;

/// Few addresses, so that they coincide. Some have code.
fn address() -> impl Strategy<Value = Address> {
    select((0x6c..0x74).map(Address::repeat_byte).collect::<Vec<_>>())
}

fn any_word() -> impl Strategy<Value = [u8; WORD_BYTES]> {
    prop_oneof![
        address().prop_map(word),
        (0_u64..4).prop_map(number),
        any::<[u8; WORD_BYTES]>(),
        Just([0xff; WORD_BYTES]),
    ]
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    (vec(any_word(), 0..16), 0_usize..600).prop_map(|(words, len)| {
        let mut data = calldata(&words);
        data.truncate(len);
        data
    })
}

#[derive(Clone, Debug)]
enum MappingStep {
    Account(Address, bool),
    Slot(Address, [u8; WORD_BYTES], bool),
    Mapping(Address, [u8; WORD_BYTES], u64),
    Nested(Address, [[u8; WORD_BYTES]; 2]),
    /// Accesses many keys.
    Flood(usize),
}

fn step() -> impl Strategy<Value = MappingStep> {
    prop_oneof![
        (address(), any::<bool>()).prop_map(|(of, written)| MappingStep::Account(of, written)),
        (address(), any_word(), any::<bool>())
            .prop_map(|(of, at, write)| MappingStep::Slot(of, at, write)),
        (address(), any_word(), 0_u64..3)
            .prop_map(|(of, key, at)| MappingStep::Mapping(of, key, at)),
        (address(), [any_word(), any_word()]).prop_map(|(of, keys)| MappingStep::Nested(of, keys)),
        (0_usize..200).prop_map(MappingStep::Flood),
    ]
}

fn run(steps: &[MappingStep]) -> Run {
    let mut run = Run::default();
    for step in steps {
        match *step {
            MappingStep::Account(of, written) => run.account(of, written),
            MappingStep::Slot(of, at, written) => run.slot(of, U256::from_be_bytes(at), written),
            MappingStep::Mapping(of, key, position) => run.mapping(of, key, position),
            MappingStep::Nested(of, keys) => run.nested(of, keys, 1),
            MappingStep::Flood(count) => {
                (0..count).for_each(|slot| run.mapping(TOKEN, [7; WORD_BYTES], slot as u64));
            }
        }
    }
    run
}

proptest! {
    #[test]
    fn nothing_breaks(
        calls in vec((address(), address(), data(), vec(step(), 0..12), any::<bool>()), 0..24),
        gas_used in any::<u64>(),
    ) {
        let mut profiles = Profiles::default();
        let batch: Vec<_> = calls
            .iter()
            .map(|(caller, to, data, ..)| Call { caller: *caller, to: *to, data })
            .collect();
        let mut out = Predictions::default();
        for (call, (.., steps, is_miss)) in batch.iter().zip(&calls) {
            let run = run(steps);
            for _ in 0..2 {
                profiles.learn(*call, &ObservedRun { gas_used, ..run.observed() }, has_code);
            }
            if *is_miss {
                profiles.miss(*call, has_code);
            }
            out.clear();
            profiles.predict((0..).zip(batch.iter().copied()), has_code, &mut out);
            prop_assert_eq!(out.known.len() + out.unknown.len(), batch.len());
            prop_assert!(out.slots.len() + out.accounts.len() <= out.known.len() * RULES_MAX);
            prop_assert!(out.slots.is_sorted_by_key(|(tx, ..)| *tx));
            prop_assert!(out.hashes.iter().all(|(_, input, hash)| keccak256(input) == *hash));
        }
    }

    #[test]
    fn a_run_like_those_before_is_foreseen(steps in vec(step(), 0..6), data in data()) {
        let call = Call { caller: person(1), to: TOKEN, data: &data };
        let run = run(&steps);
        let mut profiles = Profiles::default();
        (0..4).for_each(|_| teach(&mut profiles, call, &run));
        if let Some(slots) = slots(&profiles, call) {
            let keys: Vec<_> = slots.iter().map(|(of, slot, _)| (*of, *slot)).collect();
            let written = run.touches.iter().filter(|touch| touch.written);
            for (of, slot) in written.filter_map(|touch| Some((touch.key.address, touch.key.slot?))) {
                let is_guarded = slots.iter().any(|(guard, ..)| *guard == of)
                    || run.touches.contains(&Touch { key: StateKey { address: of, slot: None }, written: true });
                prop_assert!(keys.contains(&(of, slot)) || is_guarded);
            }
        }
    }
}
