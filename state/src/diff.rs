//! What a block changed: the final value of whatever is different after it.

use alloc::vec::Vec;
use alloy_primitives::{Address, B256, Bytes, U256};

use crate::{Account, MergedDiff};

/// The changes to one account.
///
/// Applied in this order: storage is wiped if `storage_cleared`, then `storage` is written, then
/// `account` is set. With `account` absent, the account and all of its storage go away, whatever
/// the other two fields say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountDiff {
    /// Whose changes these are.
    pub address: Address,
    /// The account after the change; `None` if it no longer exists.
    pub account: Option<Account>,
    /// Whether all storage from before is dropped first (destroyed and created again).
    pub storage_cleared: bool,
    /// Slots that changed and their new values; zero deletes the slot. Each slot once, in any
    /// order.
    pub storage: Vec<(U256, U256)>,
}

/// The changes between two states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateDiff {
    /// Changed accounts, each address once, in any order. An account with changed storage is
    /// listed even if it is otherwise the same.
    pub accounts: Vec<AccountDiff>,
    /// Code that was not stored before, by its keccak hash.
    pub codes: Vec<(B256, Bytes)>,
}

impl AccountDiff {
    /// Follows this change by a `later` one to the same account. The result is in canonical order.
    pub fn merge(&mut self, later: Self) {
        let mut merged = MergedDiff::default();
        merged.push_account(self);
        merged.push_account(&later);
        let diff = merged.into_diff().accounts.pop();
        *self = diff.expect("invariant: the account was pushed");
    }
}

impl StateDiff {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.codes.is_empty()
    }

    /// Sequential composition: applying the result equals applying `self` and then `later`. The
    /// result is in canonical order. To merge many diffs, push them to a [`MergedDiff`].
    pub fn merge(&mut self, later: Self) {
        let mut merged = MergedDiff::default();
        merged.push(self);
        merged.push(&later);
        *self = merged.into_diff();
    }

    /// Brings the diff into canonical order: by address, slot and code hash.
    pub fn sort(&mut self) {
        self.accounts.sort_unstable_by_key(|change| change.address);
        for change in &mut self.accounts {
            change.storage.sort_unstable_by_key(|(slot, _)| *slot);
        }
        self.codes.sort_unstable_by_key(|(hash, _)| *hash);
    }
}
