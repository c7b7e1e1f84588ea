//! All accounts, slots and codes in hash tables. The full node executes on them.
//!
//! Reads take `&self` and no lock, so any number of workers can share one state. An account costs
//! one probe, and a slot one more: [`StateView::account`] returns the [`StorageId`] that finds the
//! account's slots. Nothing here is authenticated. The tries of a [`NodeState`](crate::NodeState)
//! refer to accounts and slots by entry number and read the values here.

mod apply;
mod codes;
mod entry;
mod parallel;

pub(crate) use codes::analyse;
pub(crate) use entry::{AccountValue, SlotKey};

use alloy_primitives::{Address, B256, Bytes, U256};
use core::convert::Infallible;
use revm_bytecode::Bytecode;

use crate::{Account, AccountDiff, StateView, StorageId, table::FIND_MAX};
use codes::Codes;
use entry::{Accounts, Slots};

/// The whole state, unauthenticated.
///
/// Invariant: the code of every account is stored, no stored slot is zero, and each slot belongs
/// to an account.
#[derive(Clone, Debug, Default)]
pub struct FlatState {
    accounts: Accounts,
    slots: Slots,
    codes: Codes,
}

impl FlatState {
    /// Creates a state without accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The account at `address`.
    #[must_use]
    pub fn account(&self, address: &Address) -> Option<Account> {
        self.entry(address).map(|(account, _)| account)
    }

    /// The account at `address`, and the id that finds its slots.
    #[inline]
    #[must_use]
    pub fn entry(&self, address: &Address) -> Option<(Account, StorageId)> {
        let number = self.accounts.find(address)?;
        Some((self.account_of(&self.accounts.entry(number).value), StorageId::of(number)))
    }

    /// The value of a slot, zero if unset.
    #[must_use]
    pub fn storage(&self, address: &Address, slot: U256) -> U256 {
        let number = self.accounts.find(address);
        number.map_or(U256::ZERO, |number| self.slot(StorageId::of(number), slot))
    }

    /// The value of a slot, zero if unset. `id` is the storage id that was returned with the
    /// account.
    #[inline]
    #[must_use]
    pub fn slot(&self, id: StorageId, slot: U256) -> U256 {
        let number = self.slots.find(&SlotKey::new(id, slot));
        number.map_or(U256::ZERO, |number| self.slots.entry(number).value.get())
    }

    /// Whether any slot of an account is set.
    #[must_use]
    pub fn has_storage(&self, address: &Address) -> bool {
        let number = self.accounts.find(address);
        number.is_some_and(|number| self.accounts.entry(number).value.slots != 0)
    }

    /// The analysed code with this hash, shared; `None` if no account ever had it.
    #[must_use]
    pub fn code(&self, hash: &B256) -> Option<Bytecode> {
        self.codes.get(hash).cloned()
    }

    /// Number of accounts.
    #[must_use]
    pub fn account_count(&self) -> usize {
        self.accounts.len()
    }

    /// Number of slots that are not zero.
    #[must_use]
    pub fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// All accounts, in no particular order.
    pub fn iter_accounts(&self) -> impl Iterator<Item = (Address, Account)> {
        self.accounts.iter().map(|(_, entry)| (entry.key, self.account_of(&entry.value)))
    }

    /// All slots that are not zero, with the account they belong to, in no particular order.
    pub fn iter_slots(&self) -> impl Iterator<Item = (Address, U256, U256)> {
        self.slots.iter().map(|(_, entry)| {
            let number = entry.key.storage.number().expect("invariant: a slot has an account");
            (self.accounts.entry(number).key, entry.key.slot(), entry.value.get())
        })
    }

    /// All codes with their hashes, except the empty code.
    pub fn iter_codes(&self) -> impl Iterator<Item = (B256, Bytes)> {
        self.codes.iter()
    }

    /// The slots of one account that are not zero. If the account has slots, this scans the slots
    /// of all accounts.
    pub fn slots_of(&self, address: &Address) -> impl Iterator<Item = (U256, U256)> {
        let number = self.accounts.find(address);
        let number = number.filter(|number| self.accounts.entry(*number).value.slots != 0);
        let storage = number.map(StorageId::of);
        let slots = storage.into_iter().flat_map(|storage| {
            self.slots.iter().filter(move |(_, entry)| entry.key.storage == storage)
        });
        slots.map(|(_, entry)| (entry.key.slot(), entry.value.get()))
    }

    /// Bytes that the tables take for accounts and for slots.
    pub(crate) fn memory(&self) -> (usize, usize) {
        (self.accounts.memory(), self.slots.memory())
    }

    /// The number of an account's entry.
    pub(crate) fn number(&self, address: &Address) -> Option<u32> {
        self.accounts.find(address)
    }

    /// The number of a slot's entry.
    pub(crate) fn slot_number(&self, account: u32, slot: U256) -> Option<u32> {
        self.slots.find(&SlotKey::new(StorageId::of(account), slot))
    }

    /// The entry numbers of the accounts in `changes`.
    pub(crate) fn find_accounts(&self, changes: &[AccountDiff], numbers: &mut [Option<u32>]) {
        for (some, numbers) in changes.chunks(FIND_MAX).zip(numbers.chunks_mut(FIND_MAX)) {
            let (found, count) = self.accounts.find_many(some.iter().map(|change| &change.address));
            numbers.copy_from_slice(&found[..count]);
        }
    }

    /// The entry numbers of up to [`FIND_MAX`] slots of one account.
    #[inline]
    pub(crate) fn find_slots(
        &self,
        id: StorageId,
        slots: impl ExactSizeIterator<Item = U256>,
    ) -> [Option<u32>; FIND_MAX] {
        let count = slots.len();
        let mut keys = [SlotKey::new(id, U256::ZERO); FIND_MAX];
        for (key, slot) in keys.iter_mut().zip(slots) {
            *key = SlotKey::new(id, slot);
        }
        self.slots.find_many(keys[..count].iter()).0
    }

    /// The account entry with this number.
    #[inline]
    pub(crate) fn account_entry(&self, number: u32) -> (&Address, &AccountValue) {
        let entry = self.accounts.entry(number);
        (&entry.key, &entry.value)
    }

    /// The slot entry with this number: the slot and its value.
    #[inline]
    pub(crate) fn slot_entry(&self, number: u32) -> (U256, U256) {
        let entry = self.slots.entry(number);
        (entry.key.slot(), entry.value.get())
    }

    #[inline]
    pub(crate) fn code_hash(&self, value: &AccountValue) -> B256 {
        self.codes.hash(value.code)
    }

    #[inline]
    pub(crate) fn account_of(&self, value: &AccountValue) -> Account {
        let code_hash = self.code_hash(value);
        Account { nonce: value.nonce(), balance: value.balance(), code_hash }
    }
}

impl StateView for FlatState {
    type Error = Infallible;

    fn account(&mut self, address: &Address) -> Result<Option<(Account, StorageId)>, Infallible> {
        StateView::account(&mut &*self, address)
    }

    fn storage(
        &mut self,
        address: &Address,
        id: StorageId,
        slot: U256,
    ) -> Result<U256, Infallible> {
        StateView::storage(&mut &*self, address, id, slot)
    }

    fn has_storage(&mut self, address: &Address) -> bool {
        Self::has_storage(self, address)
    }

    fn code(&mut self, hash: &B256) -> Result<Bytecode, Infallible> {
        StateView::code(&mut &*self, hash)
    }
}

/// A shared reference is a view as well, so that many readers can each hold one.
impl StateView for &FlatState {
    type Error = Infallible;

    #[inline]
    fn account(&mut self, address: &Address) -> Result<Option<(Account, StorageId)>, Infallible> {
        Ok(self.entry(address))
    }

    #[inline]
    fn storage(
        &mut self,
        address: &Address,
        id: StorageId,
        slot: U256,
    ) -> Result<U256, Infallible> {
        let known = id != StorageId::default();
        Ok(if known { self.slot(id, slot) } else { FlatState::storage(self, address, slot) })
    }

    fn has_storage(&mut self, address: &Address) -> bool {
        FlatState::has_storage(self, address)
    }

    fn code(&mut self, hash: &B256) -> Result<Bytecode, Infallible> {
        Ok(FlatState::code(self, hash).expect("invariant: the code of every account is stored"))
    }

    fn prefetch(&mut self, addresses: &[Address]) {
        for some in addresses.chunks(FIND_MAX) {
            // The cache misses overlap. Afterwards the entries are in the cache.
            let (found, _) = self.accounts.find_many(some.iter());
            for number in found.into_iter().flatten() {
                core::hint::black_box(self.accounts.entry(number).value);
            }
        }
    }

    fn prefetch_slots(&mut self, slots: &[(Address, U256)]) {
        for some in slots.chunks(FIND_MAX) {
            let keys: [Option<SlotKey>; FIND_MAX] = core::array::from_fn(|at| {
                let (address, slot) = some.get(at)?;
                Some(SlotKey::new(StorageId::of(self.accounts.find(address)?), *slot))
            });
            let (found, _) = self.slots.find_many(keys.iter().flatten());
            for number in found.into_iter().flatten() {
                core::hint::black_box(self.slots.entry(number).value);
            }
        }
    }
}
