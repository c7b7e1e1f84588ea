//! The slot of the EIP-2935 contract that holds the parent's hash, while the hash is unknown.
//!
//! Until the slot is read, it holds a placeholder that is no hash. It counts as changed, because
//! its earlier value, another block's hash or zero, is not the parent's hash.

use alloy_primitives::{Address, Bytes, U256};
use revm::Database as _;
use turnpike_protocol::{history_slot, predeploys::HISTORY_STORAGE};
use turnpike_state::StateView;

use super::BlockState;
use crate::{BlockHashes, base::ViewError};

impl<S: StateView> BlockState<S> {
    /// The source of BLOCKHASH.
    pub(crate) const fn hashes(&self) -> &BlockHashes {
        self.base.hashes()
    }

    /// Whether an account has this code.
    pub(crate) fn has_code_of(
        &mut self,
        address: &Address,
        code: &Bytes,
    ) -> Result<bool, ViewError<S::Error>> {
        let Some((account, _)) = self.base.account(address)? else { return Ok(false) };
        Ok(account.has_code()
            && self.base.code_by_hash(account.code_hash)?.original_byte_slice() == &code[..])
    }

    /// Defers the slot of the parent's hash, which was just written, until the slot is read.
    pub(crate) fn defer_parent_hash(&mut self) {
        let key = history_slot(self.base.number().saturating_sub(1));
        let owner = self.tables.place(&HISTORY_STORAGE);
        self.deferred = owner.and_then(|at| self.tables.slot(self.tables.accounts[at].space, key));
        assert!(self.deferred.is_some(), "invariant: the parent's hash was recorded");
    }

    /// Waits for the hash and stores it in the slot.
    #[cold]
    pub(super) fn resolve(&mut self) {
        let Some(at) = self.deferred.take() else { return };
        self.tables.slots[at].value.present_value = self.parent_hash();
    }

    /// The value of a slot.
    #[inline]
    pub(super) fn value_of(&self, slot: usize) -> U256 {
        if self.deferred == Some(slot) {
            return self.parent_hash();
        }
        self.tables.slots[slot].value.present_value
    }

    /// Waits for the parent's hash. If the parent was abandoned, the whole block is dropped, so the
    /// value does not matter.
    #[cold]
    fn parent_hash(&self) -> U256 {
        match self.base.hashes() {
            BlockHashes::Deferred(parent) => parent.wait().unwrap_or_default().into(),
            BlockHashes::History { .. } | BlockHashes::Given(_) => {
                unreachable!("invariant: a known hash is not deferred")
            }
        }
    }
}
