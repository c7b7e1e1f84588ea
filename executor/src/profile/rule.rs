//! Access rules: accounts and slots as functions of a call.

use alloc::vec::Vec;

use alloy_primitives::{Address, U256};

use super::{
    Access, StateKey,
    call::{Call, PADDING_BYTES, WORD_BYTES, as_address},
};
use crate::keccak::INPUT_BYTES;

/// Maximum number of nested hashes that lead to a slot. An allowance takes two.
pub(super) const STEPS_MAX: usize = 3;

/// One account or slot that calls access, as a function of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AccessRule {
    pub(super) place: AccessTarget,
    pub(super) access: Access,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AccessTarget {
    Account(WordSource),
    Slot { contract: Address, formula: SlotFormula },
}

/// The source of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WordSource {
    Caller,
    /// A word of the calldata, counted after the selector.
    Word(u8),
    Const([u8; WORD_BYTES]),
}

/// How a slot is found: from a position, through mappings step by step. Without steps the slot is a
/// constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SlotFormula {
    pub(super) position: U256,
    pub(super) steps: Vec<MappingStep>,
}

/// A step from a mapping's position to one of its values, or to a field of that value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MappingStep {
    pub(super) key: WordSource,
    pub(super) order: HashOrder,
    /// Distance from the hash: the field of a struct.
    pub(super) offset: u8,
}

/// The order of key and position in a hashed input. Solidity puts the key first, Vyper the
/// position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HashOrder {
    KeyFirst,
    PositionFirst,
}

impl AccessTarget {
    pub(super) fn of(key: &StateKey) -> Self {
        match key.slot {
            None => Self::Account(WordSource::Const(key.address.into_word().0)),
            Some(position) => {
                let formula = SlotFormula { position, steps: Vec::new() };
                Self::Slot { contract: key.address, formula }
            }
        }
    }

    /// The key, if it is equal for all calls.
    pub(super) fn constant(&self) -> Option<StateKey> {
        match self {
            Self::Account(WordSource::Const(word)) => {
                Some(StateKey { address: as_address(word)?, slot: None })
            }
            Self::Slot { contract, formula } if formula.steps.is_empty() => {
                Some(StateKey { address: *contract, slot: Some(formula.position) })
            }
            _ => None,
        }
    }

    /// The number of ways in which the rule depends on the call.
    pub(super) fn generality(&self) -> usize {
        let is_general = |source: &WordSource| usize::from(!matches!(source, WordSource::Const(_)));
        match self {
            Self::Account(source) => is_general(source),
            Self::Slot { formula, .. } => {
                formula.steps.iter().map(|step| is_general(&step.key)).sum()
            }
        }
    }
}

impl WordSource {
    /// Writes the word over zeros. Returns false if the calldata is too short.
    #[inline]
    pub(super) fn write(&self, call: &Call<'_>, into: &mut [u8; WORD_BYTES]) -> bool {
        match self {
            Self::Caller => into[PADDING_BYTES..].copy_from_slice(call.caller.as_slice()),
            Self::Word(at) => match call.word(*at) {
                Some(word) => *into = *word,
                None => return false,
            },
            Self::Const(word) => *into = *word,
        }
        true
    }

    pub(super) fn address(&self, call: &Call<'_>) -> Option<Address> {
        match self {
            Self::Caller => Some(call.caller),
            Self::Word(at) => as_address(call.word(*at)?),
            Self::Const(word) => as_address(word),
        }
    }
}

impl HashOrder {
    /// The hashed input.
    #[cfg(test)]
    pub(super) fn input(self, key: &[u8; WORD_BYTES], position: U256) -> [u8; INPUT_BYTES] {
        let mut input = [0; INPUT_BYTES];
        *self.key_mut(&mut input) = *key;
        *self.position_mut(&mut input) = position.to_be_bytes();
        input
    }

    #[inline]
    pub(super) fn key_mut(self, input: &mut [u8; INPUT_BYTES]) -> &mut [u8; WORD_BYTES] {
        let [first, second] = halves_mut(input);
        match self {
            Self::KeyFirst => first,
            Self::PositionFirst => second,
        }
    }

    #[inline]
    pub(super) fn position_mut(self, input: &mut [u8; INPUT_BYTES]) -> &mut [u8; WORD_BYTES] {
        let [first, second] = halves_mut(input);
        match self {
            Self::KeyFirst => second,
            Self::PositionFirst => first,
        }
    }
}

fn halves_mut(input: &mut [u8; INPUT_BYTES]) -> &mut [[u8; WORD_BYTES]; 2] {
    let (halves, _) = input.as_chunks_mut();
    halves.try_into().expect("invariant: an input is two words")
}
