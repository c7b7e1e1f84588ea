//! A view of a recent state.

use alloc::sync::Arc;
use alloy_primitives::{Address, B256, U256};
use core::convert::Infallible;
use revm_bytecode::Bytecode;

use crate::{Account, FlatState, MergedDiff, StateView, StorageId};

/// The state after a recent block: the flat tables, overlaid with the former values of what changed
/// since.
#[derive(Clone, Debug)]
pub struct HistoricalView<'a> {
    flat: &'a FlatState,
    undo: Arc<MergedDiff>,
}

impl<'a> HistoricalView<'a> {
    /// The state that applying `undo` to `flat` would give.
    #[must_use]
    pub const fn new(flat: &'a FlatState, undo: Arc<MergedDiff>) -> Self {
        Self { flat, undo }
    }

    /// The account at `address`.
    #[must_use]
    pub fn account(&self, address: &Address) -> Option<Account> {
        match self.undo.account(address) {
            Some(change) => change.account,
            None => self.flat.account(address),
        }
    }

    /// The value of a slot, zero if unset.
    #[must_use]
    pub fn storage(&self, address: &Address, slot: U256) -> U256 {
        let undone = self.undo.account(address).and_then(|change| change.slot(&slot));
        undone.unwrap_or_else(|| self.flat.storage(address, slot))
    }

    /// The analysed code with this hash; `None` if no account ever had it.
    #[must_use]
    pub fn code(&self, hash: &B256) -> Option<Bytecode> {
        self.flat.code(hash)
    }
}

impl StateView for HistoricalView<'_> {
    type Error = Infallible;

    fn account(&mut self, address: &Address) -> Result<Option<(Account, StorageId)>, Infallible> {
        Ok(match self.undo.account(address) {
            Some(change) => change.account.map(|account| (account, StorageId::default())),
            None => self.flat.entry(address),
        })
    }

    fn storage(
        &mut self,
        address: &Address,
        id: StorageId,
        slot: U256,
    ) -> Result<U256, Infallible> {
        if id == StorageId::default() {
            return Ok(Self::storage(self, address, slot));
        }
        Ok(self.flat.slot(id, slot))
    }

    fn has_storage(&mut self, address: &Address) -> bool {
        self.flat.has_storage(address)
    }

    fn code(&mut self, hash: &B256) -> Result<Bytecode, Infallible> {
        Ok(Self::code(self, hash).expect("invariant: the code of every account is stored"))
    }
}
