//! The state before a block, behind revm's database trait.

use alloc::{boxed::Box, collections::BTreeMap};

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

/// A state view's error, in the form that revm requires.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct ViewError<E: core::error::Error>(pub(crate) E);

impl<E: core::error::Error + Send + Sync + 'static> DBErrorMarker for ViewError<E> {}

impl<E: core::error::Error> From<ViewError<E>> for ExecutionError<E> {
    fn from(ViewError(error): ViewError<E>) -> Self {
        Self::State(error)
    }
}

/// The source of BLOCKHASH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockHashes {
    /// The EIP-2935 contract, which is part of the state, so no other data has to be supplied or
    /// proven. The block writes the parent's hash there first.
    History {
        /// Hash of the parent block.
        parent: B256,
    },
    /// Like [`Self::History`], but the parent's hash is not known yet. Reading it waits.
    #[cfg(feature = "std")]
    Deferred(DeferredHash),
    /// These hashes, by block number. Any other hash is zero.
    Given(BTreeMap<u64, B256>),
}

/// The state before the block, as revm reads it.
#[derive(Debug)]
pub(crate) struct Base<S> {
    view: S,
    /// Number of the block that is executed.
    number: u64,
    hashes: BlockHashes,
    /// Hashes that BLOCKHASH has read from the state, by the number's last byte. Each of the 256
    /// blocks that it reaches has another one.
    read_hashes: Option<Box<[Option<B256>; 256]>>,
}

impl<S> Base<S> {
    pub(crate) const fn new(view: S, number: u64, hashes: BlockHashes) -> Self {
        Self { view, number, hashes, read_hashes: None }
    }

    #[cfg(feature = "std")]
    pub(crate) const fn hashes(&self) -> &BlockHashes {
        &self.hashes
    }

    /// Number of the block that is executed.
    #[cfg(feature = "std")]
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) const fn view_mut(&mut self) -> &mut S {
        &mut self.view
    }
}

impl<S: StateView> Base<S> {
    /// The account at `address`, and where its storage is.
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

    pub(crate) fn code_len(&mut self, hash: &B256) -> Result<usize, ViewError<S::Error>> {
        self.view.code_len(hash).map_err(ViewError)
    }

    /// Whether an account that was read has storage.
    pub(crate) fn has_storage(&mut self, address: &Address) -> bool {
        self.view.has_storage(address)
    }

    /// The hash of one of the last 256 blocks, read from the state once.
    fn history_hash(&mut self, number: u64) -> Result<B256, ViewError<S::Error>> {
        let [at, ..] = number.to_le_bytes();
        let known = self.read_hashes.as_ref().and_then(|read| read[usize::from(at)]);
        if let Some(hash) = known {
            return Ok(hash);
        }
        let hash = B256::from(self.storage(HISTORY_STORAGE, history_slot(number))?);
        let read = self.read_hashes.get_or_insert_with(|| Box::new([None; 256]));
        read[usize::from(at)] = Some(hash);
        Ok(hash)
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
            // If the parent was abandoned, the whole block is dropped, so the value does not
            // matter.
            #[cfg(feature = "std")]
            BlockHashes::Deferred(parent) if is_parent => Ok(parent.wait().unwrap_or_default()),
            BlockHashes::Given(hashes) => Ok(hashes.get(&number).copied().unwrap_or_default()),
            _ => self.history_hash(number),
        }
    }
}
