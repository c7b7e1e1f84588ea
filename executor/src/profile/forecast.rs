use alloc::{boxed::Box, vec::Vec};

use alloy_primitives::{Address, U256};

use super::{
    Access,
    call::WORD_BYTES,
    rule::{AccessRule, AccessTarget, MappingStep, WordSource},
};

/// The rules of a variant, as they lie best for being followed.
#[derive(Debug)]
pub(super) struct Forecast {
    pub(super) gas: u64,
    pub(super) accounts: Box<[(WordSource, Access)]>,
    pub(super) slots: Box<[SlotRule]>,
    /// The steps of all slots, one after the other.
    pub(super) steps: Box<[MappingStep]>,
}

/// A slot that is going to be touched.
#[derive(Debug)]
pub(super) struct SlotRule {
    pub(super) contract: Address,
    pub(super) position: U256,
    /// The same as it is hashed.
    pub(super) position_bytes: [u8; WORD_BYTES],
    pub(super) access: Access,
    /// Steps from the position to the slot: so many of the forecast's next ones.
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
