//! What a block changed: final values.

use alloc::vec::Vec;
use alloy_primitives::{
    Address, B256, Bytes, U256,
    map::{AddressMap, HashMap},
};

use crate::Account;

/// The changes to one account.
///
/// Applied in this order: storage is wiped if `storage_cleared`, then `storage` is written, then
/// `account` is set. With `account` absent, the account and all of its storage go away, whatever
/// the other two fields say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountDiff {
    /// Whose account.
    pub address: Address,
    /// The account after the change; `None` if it no longer exists.
    pub account: Option<Account>,
    /// Whether all storage from before is dropped first (destroyed and created again).
    pub storage_cleared: bool,
    /// New values of the slots that changed, each once; zero deletes the slot.
    pub storage: Vec<(U256, U256)>,
}

/// The changes between two states, in no particular order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateDiff {
    /// Changed accounts, each once. An account with changed storage is listed even if it is otherwise the same.
    pub accounts: Vec<AccountDiff>,
    /// Code that was not stored before, with its keccak hash.
    pub codes: Vec<(B256, Bytes)>,
}

impl AccountDiff {
    /// Follows this change by a `later` one to the same account.
    pub fn merge(&mut self, later: Self) {
        if later.account.is_none() {
            *self = Self { storage_cleared: true, storage: Vec::new(), ..later };
        } else if later.storage_cleared {
            *self = later;
        } else if self.account.is_none() {
            *self = Self { storage_cleared: true, ..later };
        } else {
            self.account = later.account;
            let places = self.storage.iter().enumerate().map(|(at, (slot, _))| (*slot, at));
            let places: HashMap<U256, usize> = places.collect();
            for (slot, value) in later.storage {
                match places.get(&slot) {
                    Some(at) => self.storage[*at].1 = value,
                    None => self.storage.push((slot, value)),
                }
            }
        }
    }

    /// The new value of a slot, if it changed.
    #[must_use]
    pub fn slot(&self, slot: U256) -> Option<U256> {
        self.storage.iter().find(|(key, _)| *key == slot).map(|(_, value)| *value)
    }
}

impl StateDiff {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.codes.is_empty()
    }

    /// The change to an account, if there is one. Looks through all of them.
    #[must_use]
    pub fn account(&self, address: &Address) -> Option<&AccountDiff> {
        self.accounts.iter().find(|change| change.address == *address)
    }

    /// Puts accounts, slots and codes in ascending order, so that equal changes are equal values.
    pub fn sort(&mut self) {
        self.accounts.sort_unstable_by_key(|change| change.address);
        for change in &mut self.accounts {
            change.storage.sort_unstable_by_key(|(slot, _)| *slot);
        }
        self.codes.sort_unstable_by_key(|(hash, _)| *hash);
    }

    /// Sequential composition: applying the result equals applying `self` and then `later`.
    pub fn merge(&mut self, later: Self) {
        let places = self.accounts.iter().enumerate().map(|(at, change)| (change.address, at));
        let places: AddressMap<usize> = places.collect();
        for change in later.accounts {
            match places.get(&change.address) {
                Some(at) => self.accounts[*at].merge(change),
                None => self.accounts.push(change),
            }
        }
        for (hash, code) in later.codes {
            if !self.codes.iter().any(|(known, _)| *known == hash) {
                self.codes.push((hash, code));
            }
        }
    }
}
