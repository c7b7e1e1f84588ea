//! Explains the keys that a run accessed. A key often has several explanations, for example if a
//! word of the calldata equals the caller. Later runs show which of them hold.

use alloc::{vec, vec::Vec};

use alloy_primitives::U256;
use turnpike_keccak::keccak256_many;

use super::{
    Access, ObservedRun, Touch,
    call::{Call, WORD_BYTES, as_address},
    contracts::Words,
    rule::{AccessRule, AccessTarget, HashOrder, MappingStep, STEPS_MAX, SlotFormula, WordSource},
};
use crate::keccak::INPUT_BYTES;

/// Maximum number of keys that an explained run may access.
pub(super) const TOUCHES_MAX: usize = 96;
/// Maximum number of hashes considered per run.
const SEEN_MAX: usize = 64;
/// Maximum number of explanations per slot.
const FORMULAS_MAX: usize = 16;
/// Maximum number of slots of a struct in a mapping.
const OFFSETS: u8 = 16;

/// One explanation of one access.
#[derive(Debug)]
pub(super) struct Explanation {
    /// The access, numbered in the order of keys.
    pub(super) touch: u8,
    pub(super) rule: AccessRule,
    /// Whether the access is evidence. Every run accesses the caller's account, so calldata that
    /// names the caller proves nothing.
    pub(super) is_evidence: bool,
}

/// Explanations of each key that a call accessed. `None` if there are too many keys. The `fixed`
/// words are equal in all runs and explain nothing.
pub(super) fn explain(
    call: &Call<'_>,
    fixed: Words,
    observed: &ObservedRun<'_>,
) -> Option<Vec<Explanation>> {
    let mut touches = observed.touches.to_vec();
    touches.sort_unstable();
    touches.dedup_by(|later, kept| {
        let is_same = later.key == kept.key;
        kept.written |= is_same && later.written;
        is_same
    });
    if touches.len() > TOUCHES_MAX {
        return None;
    }
    let explainer = Explainer { call, fixed, hashes: hashes(observed) };
    let mut explanations = Vec::new();
    for (index, touch) in (0..).zip(&touches) {
        let is_evidence = touch.key.slot.is_some() || touch.key.address != call.caller;
        let access = if touch.written { Access::Write } else { Access::Read };
        explanations.extend(explainer.places(touch).into_iter().map(|place| {
            let rule = AccessRule { place, access };
            Explanation { touch: index, rule, is_evidence }
        }));
    }
    Some(explanations)
}

/// The hashed inputs, sorted by their hashes.
fn hashes<'a>(observed: &ObservedRun<'a>) -> Vec<(U256, &'a [u8; INPUT_BYTES])> {
    let mut inputs: Vec<_> = observed.seen.iter().map(|(_, input)| input).collect();
    inputs.sort_unstable();
    inputs.dedup();
    inputs.truncate(SEEN_MAX);
    let messages: Vec<&[u8]> = inputs.iter().map(|input| input.as_slice()).collect();
    let mut hashes = vec![[0; WORD_BYTES]; messages.len()];
    keccak256_many(&messages, &mut hashes);
    let mut hashes: Vec<_> = hashes.into_iter().map(U256::from_be_bytes).zip(inputs).collect();
    hashes.sort_unstable();
    hashes
}

struct Explainer<'a> {
    call: &'a Call<'a>,
    fixed: Words,
    hashes: Vec<(U256, &'a [u8; INPUT_BYTES])>,
}

impl Explainer<'_> {
    /// Explanations of a key. A constant is always one, except for the caller's account.
    fn places(&self, touch: &Touch) -> Vec<AccessTarget> {
        let address = touch.key.address;
        let Some(slot) = touch.key.slot else {
            let words = self.words(|word| as_address(word) == Some(address));
            let constant = (address != self.call.caller).then(|| AccessTarget::of(&touch.key));
            return constant.into_iter().chain(words.map(AccessTarget::Account)).collect();
        };
        let formulas = self.formulas(slot, STEPS_MAX).into_iter();
        formulas.map(|formula| AccessTarget::Slot { contract: address, formula }).collect()
    }

    /// Explanations of a slot with at most `steps_max` steps. The first is the constant.
    fn formulas(&self, slot: U256, steps_max: usize) -> Vec<SlotFormula> {
        let mut formulas = vec![SlotFormula { position: slot, steps: Vec::new() }];
        let Some(steps_max) = steps_max.checked_sub(1) else { return formulas };
        let Some((offset, input)) = self.hashed(slot) else { return formulas };
        let (halves, _) = input.as_chunks::<WORD_BYTES>();
        let [first, second] = halves else { return formulas };
        for (order, key, position) in
            [(HashOrder::KeyFirst, first, second), (HashOrder::PositionFirst, second, first)]
        {
            for before in self.formulas(U256::from_be_bytes(*position), steps_max) {
                for key in self.sources(key) {
                    // A constant key at a constant position is a constant.
                    if before.steps.is_empty() && matches!(key, WordSource::Const(_)) {
                        continue;
                    }
                    if formulas.len() >= FORMULAS_MAX {
                        return formulas;
                    }
                    let step = MappingStep { key, order, offset };
                    let steps = before.steps.iter().copied().chain([step]).collect();
                    formulas.push(SlotFormula { position: before.position, steps });
                }
            }
        }
        formulas
    }

    /// The input whose hash leads to a slot, and the slot's offset from the hash.
    fn hashed(&self, slot: U256) -> Option<(u8, &[u8; INPUT_BYTES])> {
        let behind = self.hashes.partition_point(|(hash, _)| *hash <= slot);
        let (hash, input) = self.hashes.get(behind.checked_sub(1)?)?;
        let offset = u8::try_from(slot - *hash).ok().filter(|offset| *offset < OFFSETS)?;
        Some((offset, input))
    }

    /// The possible sources of a mapping key.
    fn sources(&self, key: &[u8; WORD_BYTES]) -> impl Iterator<Item = WordSource> {
        let caller = (*key == self.call.caller.into_word().0).then_some(WordSource::Caller);
        let words = self.words(move |word| word == key);
        caller.into_iter().chain(words).chain([WordSource::Const(*key)])
    }

    /// The words of the calldata that satisfy `is_it`.
    fn words(&self, is_it: impl Fn(&[u8; WORD_BYTES]) -> bool) -> impl Iterator<Item = WordSource> {
        let words = self.call.words().filter(|(at, _)| !self.fixed.contains(*at));
        words.filter(move |(_, word)| is_it(word)).map(|(at, _)| WordSource::Word(at))
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, keccak256};

    use super::*;
    use crate::profile::StateKey;

    const CONTRACT: Address = Address::repeat_byte(0xc0);
    const CALLER: Address = Address::repeat_byte(0xca);

    /// Explanations of the single slot that a call without calldata accessed.
    fn explain_slot(slot: U256, inputs: &[[u8; INPUT_BYTES]]) -> Vec<SlotFormula> {
        let call = Call { caller: CALLER, to: CONTRACT, data: &[] };
        let touches =
            [Touch { key: StateKey { address: CONTRACT, slot: Some(slot) }, written: false }];
        let seen: Vec<_> = inputs.iter().map(|input| (CONTRACT, *input)).collect();
        let observed = ObservedRun { touches: &touches, seen: &seen, gas_used: 0 };
        let explanations = explain(&call, Words::default(), &observed).expect("few keys");
        let formula = |explanation: Explanation| match explanation.rule.place {
            AccessTarget::Slot { formula, .. } => formula,
            AccessTarget::Account(_) => panic!("a slot was touched"),
        };
        explanations.into_iter().map(formula).collect()
    }

    fn hash(input: &[u8; INPUT_BYTES]) -> U256 {
        keccak256(input).into()
    }

    #[test]
    fn slots_within_a_struct_behind_a_hash_are_explained() {
        let input = HashOrder::KeyFirst.input(&CALLER.into_word().0, U256::from(3));
        let behind = |offset: u8| explain_slot(hash(&input) + U256::from(offset), &[input]).len();
        assert_eq!([behind(0), behind(15), behind(16)], [2, 2, 1]);
        assert_eq!(explain_slot(hash(&input) - U256::from(1), &[input]).len(), 1);
        assert_eq!(explain_slot(hash(&input), &[]).len(), 1);
    }

    #[test]
    fn hash_order_is_detected() {
        for order in [HashOrder::KeyFirst, HashOrder::PositionFirst] {
            let input = order.input(&CALLER.into_word().0, U256::from(3));
            let step = MappingStep { key: WordSource::Caller, order, offset: 0 };
            let formulas = explain_slot(hash(&input), &[input]);
            assert_eq!(formulas[1..], [SlotFormula { position: U256::from(3), steps: vec![step] }]);
        }
    }

    #[test]
    fn key_with_different_upper_bytes_explains_nothing() {
        let mut key = CALLER.into_word().0;
        key[0] = 1;
        let input = HashOrder::KeyFirst.input(&key, U256::from(3));
        assert_eq!(explain_slot(hash(&input), &[input]).len(), 1);
    }

    #[test]
    fn explanations_are_limited() {
        let words = [CALLER.into_word().0; 12].concat();
        let data = [[0; 4].as_slice(), &words].concat();
        let call = Call { caller: CALLER, to: CONTRACT, data: &data };
        let outer = HashOrder::KeyFirst.input(&CALLER.into_word().0, U256::ZERO);
        let inner = HashOrder::KeyFirst.input(&CALLER.into_word().0, hash(&outer));
        let key = StateKey { address: CONTRACT, slot: Some(hash(&inner)) };
        let touches = [Touch { key, written: true }];
        let seen = [(CONTRACT, outer), (CONTRACT, inner)];
        let observed = ObservedRun { touches: &touches, seen: &seen, gas_used: 0 };
        let explanations = explain(&call, Words::default(), &observed).expect("few keys");
        assert_eq!(explanations.len(), FORMULAS_MAX);
    }
}
