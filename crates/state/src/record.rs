//! Records the keys that an execution touches. The execution's witness must cover them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloy_primitives::{Address, B256, U256};
use revm_bytecode::Bytecode;

use crate::{Account, PrecompileOutcome, StateDiff, StateView, StorageId};

/// Accounts, slots and codes that were read or written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Accounts, each with its touched slots.
    pub accounts: BTreeMap<Address, BTreeSet<U256>>,
    /// Hashes of codes that were loaded.
    pub codes: BTreeSet<B256>,
}

impl Touched {
    /// Adds every account and slot that `diff` writes.
    pub fn add_diff(&mut self, diff: &StateDiff) {
        for change in &diff.accounts {
            let slots = change.storage.iter().map(|(slot, _)| *slot);
            self.accounts.entry(change.address).or_default().extend(slots);
        }
    }
}

/// Forwards reads to another view and records their keys.
#[derive(Clone, Debug, Default)]
pub struct RecordingView<V> {
    inner: V,
    touched: Touched,
}

impl<V> RecordingView<V> {
    /// Records the reads of `inner`.
    pub fn new(inner: V) -> Self {
        Self { inner, touched: Touched::default() }
    }

    /// The keys that were read so far.
    pub fn touched(&self) -> &Touched {
        &self.touched
    }

    /// Returns the keys that were read.
    pub fn into_touched(self) -> Touched {
        self.touched
    }
}

impl<V: StateView> StateView for RecordingView<V> {
    type Error = V::Error;

    fn account(&mut self, address: &Address) -> Result<Option<(Account, StorageId)>, Self::Error> {
        self.touched.accounts.entry(*address).or_default();
        self.inner.account(address)
    }

    fn storage(
        &mut self,
        address: &Address,
        id: StorageId,
        slot: U256,
    ) -> Result<U256, Self::Error> {
        self.touched.accounts.entry(*address).or_default().insert(slot);
        self.inner.storage(address, id, slot)
    }

    fn has_storage(&mut self, address: &Address) -> bool {
        self.inner.has_storage(address)
    }

    fn code(&mut self, hash: &B256) -> Result<Bytecode, Self::Error> {
        self.touched.codes.insert(*hash);
        self.inner.code(hash)
    }

    fn precompile(&mut self, address: &Address, input: &[u8]) -> Option<PrecompileOutcome> {
        self.inner.precompile(address, input)
    }
}
