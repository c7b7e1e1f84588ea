//! The access rules of a variant, arranged for fast prediction.

use alloc::{boxed::Box, vec::Vec};

use alloy_primitives::{Address, U256};

use super::{
    Access,
    call::WORD_BYTES,
    rule::{AccessRule, AccessTarget, MappingStep, WordSource},
};

/// The access rules of a variant, arranged for fast prediction.
#[derive(Debug)]
pub(super) struct Forecast {
    pub(super) gas: u64,
    pub(super) accounts: Box<[(WordSource, Access)]>,
    pub(super) slots: Box<[SlotRule]>,
    /// Mapping steps of all slots, one slot after the other.
    pub(super) steps: Box<[MappingStep]>,
}

/// A slot that a call is expected to access.
#[derive(Debug)]
pub(super) struct SlotRule {
    pub(super) contract: Address,
    pub(super) position: U256,
    /// The position as it is hashed.
    pub(super) position_bytes: [u8; WORD_BYTES],
    pub(super) access: Access,
    /// Number of steps from the position to the slot, taken from the forecast's list in order.
    pub(super) steps: usize,
}

impl Forecast {
    pub(super) fn new<'a>(rules: impl Iterator<Item = &'a AccessRule>, gas: u64) -> Self {
        let (mut accounts, mut slots, mut steps) = (Vec::new(), Vec::new(), Vec::new());
        for AccessRule { place, access } in rules {
            match place {
                AccessTarget::Account(source) => accounts.push((*source, *access)),
                AccessTarget::Slot { contract, formula } => {
                    steps.extend_from_slice(&formula.steps);
                    slots.push(SlotRule {
                        contract: *contract,
                        position: formula.position,
                        position_bytes: formula.position.to_be_bytes(),
                        access: *access,
                        steps: formula.steps.len(),
                    });
                }
            }
        }
        Self { gas, accounts: accounts.into(), slots: slots.into(), steps: steps.into() }
    }
}
