//! What a block changed: final values, ordered, so that applying them is deterministic.

use alloc::collections::{BTreeMap, btree_map::Entry};
use alloy_primitives::{Address, B256, Bytes, U256};

use crate::Account;

/// The changes to one account.
///
/// Applied in this order: storage is wiped if `storage_cleared`, then `storage` is written, then
/// `account` is set. With `account` absent, the account and all of its storage go away, whatever
/// the other two fields say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountDiff {
    /// The account after the change; `None` if it no longer exists.
    pub account: Option<Account>,
    /// Whether all storage from before is dropped first (destroyed and created again).
    pub storage_cleared: bool,
    /// New values of the slots that changed; zero deletes the slot.
    pub storage: BTreeMap<U256, U256>,
}

/// The changes between two states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateDiff {
    /// Changed accounts. An account with changed storage is listed even if it is otherwise the same.
    pub accounts: BTreeMap<Address, AccountDiff>,
    /// Code that was not stored before, by its keccak hash.
    pub codes: BTreeMap<B256, Bytes>,
}

impl AccountDiff {
    /// Follows this change by a `later` one to the same account.
    pub fn merge(&mut self, later: Self) {
        if later.account.is_none() {
            *self = Self { account: None, storage_cleared: true, storage: BTreeMap::new() };
        } else if later.storage_cleared {
            *self = later;
        } else if self.account.is_none() {
            *self = Self { storage_cleared: true, ..later };
        } else {
            self.account = later.account;
            self.storage.extend(later.storage);
        }
    }
}

impl StateDiff {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.codes.is_empty()
    }

    /// Sequential composition: applying the result equals applying `self` and then `later`.
    pub fn merge(&mut self, later: Self) {
        for (address, diff) in later.accounts {
            match self.accounts.entry(address) {
                Entry::Vacant(entry) => {
                    entry.insert(diff);
                }
                Entry::Occupied(mut entry) => entry.get_mut().merge(diff),
            }
        }
        self.codes.extend(later.codes);
    }
}
