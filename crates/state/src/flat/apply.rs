//! Applies a diff on one thread.

use alloy_primitives::{Address, U256};

use super::{FlatState, entry::SlotKey};
use crate::{
    Account, AccountDiff, StateDiff, StorageId,
    changes::{Change, Changes, EntryChange},
    table::FIND_MAX,
};

impl FlatState {
    /// Applies a diff.
    ///
    /// # Panics
    ///
    /// If the diff gives an account a code that is neither stored nor part of the diff. Such a
    /// state could not be executed.
    pub fn apply(&mut self, diff: &StateDiff) {
        self.follow(diff);
        self.release();
    }

    /// Applies a diff and returns how the entries that it names changed. Removed entries can still
    /// be read until [`Self::release`].
    pub(crate) fn follow(&mut self, diff: &StateDiff) -> Changes {
        self.add_codes(diff);
        let mut changes = Changes::default();
        changes.accounts.reserve(diff.accounts.len());
        changes.slots.reserve(diff.accounts.iter().map(|change| change.storage.len()).sum());
        for some in diff.accounts.chunks(FIND_MAX) {
            let (found, _) = self.accounts.find_many(some.iter().map(|change| &change.address));
            for (change, number) in some.iter().zip(found) {
                self.follow_account(change, number, &mut changes);
            }
        }
        changes
    }

    /// Allows the numbers of removed entries to be reused.
    pub(crate) fn release(&mut self) {
        self.accounts.release();
        self.slots.release();
    }

    pub(super) fn add_codes(&mut self, diff: &StateDiff) {
        for (hash, code) in &diff.codes {
            self.codes.insert(*hash, code);
        }
    }

    fn follow_account(&mut self, change: &AccountDiff, number: Option<u32>, out: &mut Changes) {
        let Some(account) = &change.account else {
            out.accounts.push(number.map_or(Change::SAME, |number| self.remove_account(number)));
            out.slots.extend(change.storage.iter().map(|_| Change::SAME));
            return;
        };
        let (kind, number) = self.set_account(&change.address, account, number);
        let storage = StorageId::of(number);
        let mut same = kind == EntryChange::Same;
        if change.storage_cleared && kind != EntryChange::Insert {
            same &= !self.clear_storage(number);
        }
        for some in change.storage.chunks(FIND_MAX) {
            let found = self.find_slots(storage, some.iter().map(|(slot, _)| *slot));
            for ((slot, value), found) in some.iter().zip(found) {
                let change = self.set_slot(number, &SlotKey::new(storage, *slot), *value, found);
                same &= change == Change::SAME;
                out.slots.push(change);
            }
        }
        // A changed slot changes the account's storage root, and so its leaf.
        let kind = if kind == EntryChange::Same && !same { EntryChange::Touch } else { kind };
        out.accounts.push(Change::new(kind, number));
    }

    pub(super) fn set_account(
        &mut self,
        address: &Address,
        account: &Account,
        number: Option<u32>,
    ) -> (EntryChange, u32) {
        let new = self.codes.value_of(address, account, 0);
        match number {
            Some(number) => {
                let held = self.accounts.value_mut(number);
                let same = new.is_same(held);
                *held = new.with_slots(held.slots);
                (if same { EntryChange::Same } else { EntryChange::Touch }, number)
            }
            None => (EntryChange::Insert, self.accounts.insert(*address, new)),
        }
    }

    pub(super) fn remove_account(&mut self, number: u32) -> Change {
        self.clear_storage(number);
        self.accounts.remove(number);
        Change::new(EntryChange::Remove, number)
    }

    /// Removes an account's slots and returns whether there were any.
    ///
    /// Scans the slots of all accounts. By EIP-6780 only a contract created in the same transaction
    /// can lose its storage, so no block needs this for the storage of an earlier block.
    pub(super) fn clear_storage(&mut self, number: u32) -> bool {
        if self.accounts.entry(number).value.slots == 0 {
            return false;
        }
        let storage = StorageId::of(number);
        let slots = self.slots.iter().filter(|(_, entry)| entry.key.storage == storage);
        let slots: alloc::vec::Vec<u32> = slots.map(|(slot, _)| slot).collect();
        for slot in slots {
            self.slots.remove(slot);
        }
        self.accounts.value_mut(number).slots = 0;
        true
    }

    pub(super) fn set_slot(
        &mut self,
        account: u32,
        key: &SlotKey,
        value: U256,
        found: Option<u32>,
    ) -> Change {
        match found {
            Some(number) if value.is_zero() => {
                self.slots.remove(number);
                self.accounts.value_mut(account).slots -= 1;
                Change::new(EntryChange::Remove, number)
            }
            Some(number) => {
                let held = self.slots.value_mut(number);
                let same = held.get() == value;
                *held = value.into();
                if same { Change::SAME } else { Change::new(EntryChange::Touch, number) }
            }
            None if value.is_zero() => Change::SAME,
            None => {
                self.accounts.value_mut(account).slots += 1;
                Change::new(EntryChange::Insert, self.slots.insert(*key, value.into()))
            }
        }
    }
}
