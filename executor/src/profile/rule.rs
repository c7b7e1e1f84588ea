use alloc::vec::Vec;

use alloy_primitives::{Address, U256};

use super::{
    Access, Key,
    call::{Call, WORD_BYTES, as_address},
};
use crate::keccak::INPUT_BYTES;

/// Hashes of hashes that a slot may be found by: an allowance takes two.
pub(super) const STEPS_MAX: usize = 3;

/// One account or slot that calls touch, as a function of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) place: Place,
    pub(super) access: Access,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Account(Source),
    Slot { contract: Address, formula: Formula },
}

/// Where a word comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Caller,
    /// A word of the calldata, counted after the selector.
    Word(u8),
    Const([u8; WORD_BYTES]),
}

/// How a slot is found: from a position, step by step into mappings. Without steps it is always the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Formula {
    pub(super) position: U256,
    pub(super) steps: Vec<Step>,
}

/// From the position of a mapping to that of one of its values, or of a field of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) key: Source,
    pub(super) order: Order,
    /// Slots behind the hash: which field of a struct it is.
    pub(super) offset: u8,
}

/// What is hashed first. Solidity takes the key, Vyper the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    KeyFirst,
    PositionFirst,
}

impl Place {
    pub(super) fn of(key: &Key) -> Self {
        match key.slot {
            None => Self::Account(Source::Const(key.address.into_word().0)),
            Some(position) => {
                let formula = Formula { position, steps: Vec::new() };
                Self::Slot { contract: key.address, formula }
            }
        }
    }

    /// The key, if it is the same for all calls.
    pub(super) fn constant(&self) -> Option<Key> {
        match self {
            Self::Account(Source::Const(word)) => {
                Some(Key { address: as_address(word)?, slot: None })
            }
            Self::Slot { contract, formula } if formula.steps.is_empty() => {
                Some(Key { address: *contract, slot: Some(formula.position) })
            }
            _ => None,
        }
    }

    /// In how many ways it depends on the call.
    pub(super) fn generality(&self) -> usize {
        let is_general = |source: &Source| usize::from(!matches!(source, Source::Const(_)));
        match self {
            Self::Account(source) => is_general(source),
            Self::Slot { formula, .. } => {
                formula.steps.iter().map(|step| is_general(&step.key)).sum()
            }
        }
    }
}

impl Source {
    #[inline]
    pub(super) fn word(&self, call: &Call<'_>) -> Option<[u8; WORD_BYTES]> {
        match self {
            Self::Caller => Some(call.caller.into_word().0),
            Self::Word(at) => call.word(*at).copied(),
            Self::Const(word) => Some(*word),
        }
    }

    pub(super) fn address(&self, call: &Call<'_>) -> Option<Address> {
        as_address(&self.word(call)?)
    }
}

impl Order {
    /// What is hashed.
    pub(super) fn input(self, key: &[u8; WORD_BYTES], position: U256) -> [u8; INPUT_BYTES] {
        let mut input = [0; INPUT_BYTES];
        let key_at = match self {
            Self::KeyFirst => &mut input[..WORD_BYTES],
            Self::PositionFirst => &mut input[WORD_BYTES..],
        };
        key_at.copy_from_slice(key);
        self.set_position(&mut input, position);
        input
    }

    #[inline]
    pub(super) fn set_position(self, input: &mut [u8; INPUT_BYTES], position: U256) {
        let position_at = match self {
            Self::KeyFirst => &mut input[WORD_BYTES..],
            Self::PositionFirst => &mut input[..WORD_BYTES],
        };
        position_at.copy_from_slice(&position.to_be_bytes::<WORD_BYTES>());
    }
}
