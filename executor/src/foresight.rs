//! What a transaction is going to hash to find its slots, told from what others like it did.
//!
//! A mapping keeps the value of a key in the slot `keccak256(key ++ position)`. Calls of one function of one contract
//! take their keys from the same places: the caller, or a word of the calldata. Once that is learned, the hashes of the
//! next transactions can be computed together in SIMD lanes and their slots fetched together, before they run.
//!
//! A prediction only warms caches: a wrong one costs a little time and changes nothing.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, U256, map::HashMap};
use turnpike_keccak::keccak256_many;

use crate::keccak::{INPUT_BYTES, Memo};

/// Functions that are remembered; past that all are forgotten.
const FUNCTIONS_MAX: usize = 4_096;
/// Runs from which a function is learned. Where every step is to be proven nothing is: there are no waits to shorten.
const LEARNING_RUNS: u32 = if cfg!(feature = "std") { 4 } else { 0 };
/// Mappings of one function that are followed.
const RULES_MAX: usize = 8;
/// Words of the calldata that may be keys.
const WORDS_MAX: usize = 8;
/// Runs that must have hashed by a rule before it is followed.
const SIGHTINGS_MIN: u32 = 2;

const WORD_BYTES: usize = 32;
const SELECTOR_BYTES: usize = 4;

/// A function of a contract.
type Function = (Address, [u8; SELECTOR_BYTES]);

/// A hash that was computed: by which contract, and of what.
pub(crate) type Seen = (Address, [u8; INPUT_BYTES]);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Foresight {
    functions: HashMap<Function, Profile>,
    /// Inputs to hash, and whose slots they find.
    inputs: Vec<Seen>,
    hashes: Vec<[u8; WORD_BYTES]>,
    slots: Vec<(Address, U256)>,
}

#[derive(Debug, Default)]
struct Profile {
    runs: u32,
    rules: Vec<Rule>,
}

/// One mapping that a function looks into.
#[derive(Debug)]
struct Rule {
    contract: Address,
    source: Source,
    position: [u8; WORD_BYTES],
    /// Runs that hashed by it, and the last of them.
    sightings: u32,
    last_run: u32,
}

/// Where the key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Caller,
    /// A word of the calldata, counted after the selector.
    Word(usize),
}

/// A call, as far as it is known before it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) caller: Address,
    pub(crate) to: Address,
    pub(crate) data: &'a [u8],
}

impl<'a> Call<'a> {
    fn function(&self) -> Option<Function> {
        Some((self.to, *self.data.first_chunk()?))
    }

    fn word(&self, at: usize) -> Option<&'a [u8; WORD_BYTES]> {
        self.data.get(SELECTOR_BYTES + at * WORD_BYTES..)?.first_chunk()
    }

    fn key(&self, source: Source) -> Option<[u8; WORD_BYTES]> {
        match source {
            Source::Caller => Some(self.caller.into_word().0),
            Source::Word(at) => self.word(at).copied(),
        }
    }

    fn source_of(&self, key: &[u8]) -> Option<Source> {
        if *key == self.caller.into_word().0 {
            return Some(Source::Caller);
        }
        let is_key = |at: &usize| self.word(*at).is_some_and(|word| *word == *key);
        (0..WORDS_MAX).find(is_key).map(Source::Word)
    }
}

impl Foresight {
    /// Whether something is to be learned from this call's run.
    pub(crate) fn is_curious(&self, call: Call<'_>) -> bool {
        call.function().is_some_and(|function| {
            self.functions.get(&function).is_none_or(|profile| profile.runs < LEARNING_RUNS)
        })
    }

    /// Learns from what a call hashed.
    pub(crate) fn learn(&mut self, call: Call<'_>, seen: &[Seen]) {
        let Some(function) = call.function() else { return };
        if self.functions.len() >= FUNCTIONS_MAX && !self.functions.contains_key(&function) {
            self.functions.clear();
        }
        let profile = self.functions.entry(function).or_default();
        profile.runs += 1;
        let run = profile.runs;
        for (contract, input) in seen {
            let (key, position) = input.split_at(WORD_BYTES);
            if let Some(source) = call.source_of(key) {
                profile.note(run, *contract, source, position);
            }
        }
    }

    /// Computes what these calls are likely to hash and says which slots they are likely to read.
    pub(crate) fn look_ahead<'a>(
        &mut self,
        calls: impl Iterator<Item = Call<'a>>,
        memo: &mut Memo,
    ) -> &[(Address, U256)] {
        let Self { functions, inputs, hashes, slots } = self;
        inputs.clear();
        slots.clear();
        for call in calls {
            let Some(profile) = call.function().and_then(|function| functions.get(&function))
            else {
                continue;
            };
            for rule in profile.rules.iter().filter(|rule| rule.sightings >= SIGHTINGS_MIN) {
                let Some(key) = call.key(rule.source) else { continue };
                let mut input = [0; INPUT_BYTES];
                input[..WORD_BYTES].copy_from_slice(&key);
                input[WORD_BYTES..].copy_from_slice(&rule.position);
                match memo.get(&input) {
                    Some(hash) => slots.push((rule.contract, hash.into())),
                    None => inputs.push((rule.contract, input)),
                }
            }
        }
        let messages: Vec<&[u8]> = inputs.iter().map(|(_, input)| input.as_slice()).collect();
        hashes.resize(messages.len(), [0; WORD_BYTES]);
        keccak256_many(&messages, hashes);
        for ((contract, input), hash) in inputs.iter().zip(hashes) {
            memo.set(input, B256::new(*hash));
            slots.push((*contract, U256::from_be_bytes(*hash)));
        }
        slots
    }
}

impl Profile {
    fn note(&mut self, run: u32, contract: Address, source: Source, position: &[u8]) {
        let known = self.rules.iter().position(|rule| {
            rule.contract == contract && rule.source == source && rule.position == *position
        });
        match (known, <[u8; WORD_BYTES]>::try_from(position)) {
            (Some(at), _) if self.rules[at].last_run == run => {}
            (Some(at), _) => {
                self.rules[at].sightings += 1;
                self.rules[at].last_run = run;
            }
            (None, Ok(position)) if self.rules.len() < RULES_MAX => {
                self.rules.push(Rule { contract, source, position, sightings: 1, last_run: run });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::keccak256;

    use super::*;

    const TOKEN: Address = Address::repeat_byte(0x70);

    fn transfer(to: Address) -> Vec<u8> {
        let mut data = vec![0xa9, 0x05, 0x9c, 0xbb];
        data.extend(to.into_word());
        data.extend(U256::from(5).to_be_bytes::<WORD_BYTES>());
        data
    }

    fn input(key: Address, position: u8) -> [u8; INPUT_BYTES] {
        let mut input = [0; INPUT_BYTES];
        input[..WORD_BYTES].copy_from_slice(key.into_word().as_slice());
        input[INPUT_BYTES - 1] = position;
        input
    }

    #[test]
    fn a_token_is_learned_from_two_transfers() {
        let (mut foresight, mut memo) = (Foresight::default(), Memo::default());
        let [alice, bob, carol, dave] = [1, 2, 3, 4].map(Address::repeat_byte);
        let run = |from, to: Address, foresight: &mut Foresight| {
            let data = transfer(to);
            let call = Call { caller: from, to: TOKEN, data: &data };
            // Each hashed twice, as a read and a write do.
            let seen = [from, to, from, to].map(|of| (TOKEN, input(of, 2)));
            foresight.learn(call, &seen);
        };
        let ahead = |foresight: &mut Foresight, memo: &mut Memo| {
            let data = transfer(dave);
            let call = Call { caller: carol, to: TOKEN, data: &data };
            foresight.look_ahead([call].into_iter(), memo).to_vec()
        };
        run(alice, bob, &mut foresight);
        assert_eq!(ahead(&mut foresight, &mut memo), [], "one run may be chance");
        run(bob, alice, &mut foresight);
        let slot = |of| (TOKEN, U256::from_be_bytes(keccak256(input(of, 2)).0));
        let mut slots = ahead(&mut foresight, &mut memo);
        slots.sort_unstable();
        let mut expected = vec![slot(carol), slot(dave)];
        expected.sort_unstable();
        assert_eq!(slots, expected);
        assert_eq!(memo.get(&input(carol, 2)), Some(keccak256(input(carol, 2))));
    }

    #[test]
    fn a_function_stops_being_learned() {
        let mut foresight = Foresight::default();
        let data = transfer(TOKEN);
        let call = Call { caller: TOKEN, to: TOKEN, data: &data };
        for _ in 0..LEARNING_RUNS {
            assert!(foresight.is_curious(call));
            foresight.learn(call, &[]);
        }
        assert!(!foresight.is_curious(call));
        assert!(!foresight.is_curious(Call { data: &data[..3], ..call }), "no selector");
    }
}
