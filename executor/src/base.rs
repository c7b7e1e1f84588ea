use alloc::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use revm::{
    Database,
    database_interface::DBErrorMarker,
    state::{AccountId, AccountInfo, Bytecode},
};
use turnpike_protocol::{history_slot, predeploys::HISTORY_STORAGE};
use turnpike_state::{Account, StateView, StorageId};

#[cfg(feature = "std")]
use crate::DeferredHash;
use crate::ExecutionError;

/// A state view's error, in the form that revm wants.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct ViewError<E: core::error::Error>(pub(crate) E);

impl<E: core::error::Error + Send + Sync + 'static> DBErrorMarker for ViewError<E> {}

impl<E: core::error::Error> From<ViewError<E>> for ExecutionError<E> {
    fn from(ViewError(error): ViewError<E>) -> Self {
        Self::State(error)
    }
}

/// Where BLOCKHASH looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockHashes {
    /// In the EIP-2935 contract, which is part of the state: nothing else to be given or proven. The parent's hash is
    /// about to be written there.
    History {
        /// Hash of the block before the one that runs.
        parent: B256,
    },
    /// As [`Self::History`], but that the parent's hash is not known yet: who looks at it waits.
    #[cfg(feature = "std")]
    Deferred(DeferredHash),
    /// Here, by block number; zero where there is none.
    Given(BTreeMap<u64, B256>),
}

/// The state that a block starts from, as revm reads it.
#[derive(Debug)]
pub(crate) struct Base<S> {
    view: S,
    /// Number of the block that runs.
    number: u64,
    hashes: BlockHashes,
}

impl<S> Base<S> {
    pub(crate) const fn new(view: S, number: u64, hashes: BlockHashes) -> Self {
        Self { view, number, hashes }
    }

    #[cfg(feature = "std")]
    pub(crate) const fn hashes(&self) -> &BlockHashes {
        &self.hashes
    }

    /// Number of the block that runs.
    #[cfg(feature = "std")]
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) const fn view_mut(&mut self) -> &mut S {
        &mut self.view
    }
}

impl<S: StateView> Base<S> {
    /// The account at `address` and where its storage is.
    #[inline]
    pub(crate) fn account(
        &mut self,
        address: &Address,
    ) -> Result<Option<(Account, StorageId)>, ViewError<S::Error>> {
        self.view.account(address).map_err(ViewError)
    }

    pub(crate) fn prefetch(&mut self, addresses: &[Address]) {
        self.view.prefetch(addresses);
    }

    pub(crate) fn prefetch_slots(&mut self, slots: &[(Address, U256)]) {
        self.view.prefetch_slots(slots);
    }
}

impl<S: StateView> Database for Base<S> {
    type Error = ViewError<S::Error>;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Self::Error> {
        Ok(self.account(&address)?.map(|(account, storage)| {
            let Account { nonce, balance, code_hash } = account;
            let account_id = AccountId::new(storage.index());
            AccountInfo { balance, nonce, code_hash, account_id, code: None }
        }))
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, Self::Error> {
        self.view.code(&code_hash).map_err(ViewError)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, Self::Error> {
        match self.basic(address)?.and_then(|info| info.account_id) {
            Some(id) => self.storage_by_account_id(address, id, slot),
            None => Ok(U256::ZERO),
        }
    }

    fn storage_by_account_id(
        &mut self,
        address: Address,
        id: AccountId,
        slot: U256,
    ) -> Result<U256, Self::Error> {
        self.view.storage(&address, StorageId::at(id.get()), slot).map_err(ViewError)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Self::Error> {
        let is_parent = number.checked_add(1) == Some(self.number);
        match &self.hashes {
            BlockHashes::History { parent } if is_parent => Ok(*parent),
            // Of a parent that was given up nothing is kept that ran on it.
            #[cfg(feature = "std")]
            BlockHashes::Deferred(parent) if is_parent => Ok(parent.wait().unwrap_or_default()),
            BlockHashes::Given(hashes) => Ok(hashes.get(&number).copied().unwrap_or_default()),
            _ => self.storage(HISTORY_STORAGE, history_slot(number)).map(B256::from),
        }
    }
}
