//! The undo log of the current transaction.

use alloc::boxed::Box;

use alloy_primitives::{Address, B256, U256, address};
use revm::{primitives::hardfork::SpecId, state::Bytecode};
use turnpike_state::StateView;

use super::BlockState;
#[cfg(feature = "faults")]
use crate::faults::{self, Fault};

/// RIPEMD-160. Mainnet block 2,675,119 deleted it although the call that touched it ran out of gas,
/// and every client since keeps that touch (yellow paper, K.1).
const RIPEMD: Address = address!("0000000000000000000000000000000000000003");

/// A change of the current transaction, stored as the step that undoes it. Numbers are positions of
/// accounts and slots. [`super::Tables::values`] holds the earlier value of a balance, nonce or
/// slot. An entry has only two words, because entries are written more often than anything else
/// here.
#[derive(Debug)]
pub(super) enum Undo {
    /// An account was accessed.
    Warmed(usize),
    /// An account was touched (EIP-161).
    Touched(usize),
    /// A balance changed.
    Balance(usize),
    /// A nonce changed.
    Nonce(usize),
    /// A code changed. Position, earlier hash and earlier code.
    Code(Box<(usize, B256, Option<Bytecode>)>),
    /// An account was created over earlier storage.
    Created(Box<CreatedUndo>),
    /// An account was destroyed, for the first time in this transaction or again.
    Destroyed { at: usize, first: bool },
    /// A slot was accessed.
    SlotWarmed(usize),
    /// A slot changed.
    Slot(usize),
    /// A slot of transient storage changed. Key and earlier value.
    Transient(Box<((usize, U256), U256)>),
}

const _: () = assert!(size_of::<Undo>() <= 16);

/// An account's storage before it was created.
#[derive(Debug)]
pub(super) struct CreatedUndo {
    pub(super) at: usize,
    pub(super) space: usize,
    pub(super) base_storage: bool,
}

impl<S: StateView> BlockState<S> {
    /// Undoes all changes after the first `keep`, the newest first.
    pub(super) fn revert_to(&mut self, keep: usize) {
        while self.tables.undo.len() > keep {
            if let Some(undo) = self.tables.undo.pop() {
                self.revert(undo);
            }
        }
    }

    fn value_before(&mut self) -> U256 {
        self.tables.values.pop().expect("invariant: a change stores the earlier value")
    }

    fn revert(&mut self, undo: Undo) {
        #[cfg(feature = "faults")]
        if matches!(undo, Undo::Slot(_)) && faults::is(Fault::RevertForgotten) {
            self.value_before();
            return;
        }
        match undo {
            Undo::Warmed(at) => self.tables.accounts[at].account.mark_cold(),
            Undo::Touched(at) => {
                let entry = &mut self.tables.accounts[at];
                if entry.address == RIPEMD && self.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
                    self.stay_touched.push(at);
                } else {
                    entry.account.unmark_touch();
                }
            }
            Undo::Balance(at) => {
                self.tables.accounts[at].account.info.balance = self.value_before();
            }
            Undo::Nonce(at) => {
                self.tables.accounts[at].account.info.nonce = self.value_before().saturating_to();
            }
            Undo::Code(code) => {
                let (at, code_hash, code) = *code;
                let info = &mut self.tables.accounts[at].account.info;
                (info.code_hash, info.code) = (code_hash, code);
            }
            Undo::Created(created) => {
                let CreatedUndo { at, space, base_storage } = *created;
                let entry = &mut self.tables.accounts[at];
                entry.account.unmark_created();
                entry.account.unmark_created_locally();
                (entry.space, entry.base_storage) = (space, base_storage);
            }
            Undo::Destroyed { at, first } => {
                let account = &mut self.tables.accounts[at].account;
                if first {
                    account.unmark_selfdestruct();
                    account.unmark_selfdestructed_locally();
                }
            }
            Undo::SlotWarmed(at) => self.tables.slots[at].value.mark_cold(),
            Undo::Slot(at) => self.tables.slots[at].value.present_value = self.value_before(),
            Undo::Transient(slot) => {
                let (key, value) = *slot;
                self.transient.insert(key, value);
            }
        }
    }
}
