//! Observes a transaction's accesses, from which profiles learn.

use alloc::vec::Vec;

use alloy_primitives::Address;
use turnpike_state::StateView;

use super::{BlockState, Undo};
use crate::profile::{StateKey, Touch};

impl<S: StateView> BlockState<S> {
    /// Observes the next transaction's accesses.
    pub(crate) fn watch(&mut self) {
        self.watched = Some(Vec::new());
    }

    /// Accesses of the last transaction, if it was observed. Slots of its access list are included
    /// only if it changed them.
    pub(crate) fn take_watched(&mut self) -> Vec<Touch> {
        self.watched.take().unwrap_or_default()
    }

    /// Whether an account has code. This is not an access: it neither loads nor warms the account.
    pub(crate) fn has_code(&mut self, address: &Address) -> bool {
        match self.find(address) {
            Some(at) => !self.tables.accounts[at].account.info.is_empty_code_hash(),
            None => self
                .base
                .account(address)
                .is_ok_and(|found| found.is_some_and(|(account, _)| account.has_code())),
        }
    }

    /// Records the accesses of the transaction that ends.
    pub(super) fn note_watched(&mut self) {
        let Some(mut touches) = self.watched.take() else { return };
        for undo in &self.tables.undo {
            let (account, slot, written) = match undo {
                Undo::Warmed(at) => (*at, None, false),
                Undo::Balance(at) | Undo::Nonce(at) | Undo::Destroyed { at, .. } => {
                    (*at, None, true)
                }
                Undo::Code(code) => (code.0, None, true),
                Undo::Created(created) => (created.at, None, true),
                Undo::SlotWarmed(at) => (self.tables.slots[*at].owner, Some(*at), false),
                Undo::Slot(at) => (self.tables.slots[*at].owner, Some(*at), true),
                Undo::Touched(_) | Undo::Transient(_) => continue,
            };
            let address = self.tables.accounts[account].address;
            let slot = slot.map(|slot| self.tables.slots[slot].key);
            touches.push(Touch { key: StateKey { address, slot }, written });
        }
        // Keep one access per key: the write, if there was one.
        touches.sort_unstable();
        touches.reverse();
        touches.dedup_by_key(|touch| touch.key);
        self.watched = Some(touches);
    }
}
