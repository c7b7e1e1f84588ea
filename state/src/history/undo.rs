//! The way back from a diff.

use alloc::vec::Vec;

use crate::{AccountDiff, FlatState, StateDiff};

impl FlatState {
    /// What takes the state back to where it is now, once `diff` was applied to it: ask before
    /// applying. Codes stay stored, so that there is nothing to undo about them.
    #[must_use]
    pub fn undo_of(&self, diff: &StateDiff) -> StateDiff {
        let accounts = diff.accounts.iter().map(|change| self.undo_of_account(change));
        StateDiff { accounts: accounts.collect(), codes: Vec::new() }
    }

    fn undo_of_account(&self, change: &AccountDiff) -> AccountDiff {
        let address = change.address;
        let account = self.account(&address);
        let loses_storage = change.storage_cleared || change.account.is_none();
        let storage = match account {
            None => Vec::new(),
            Some(_) if loses_storage => self.slots_of(&address).collect(),
            Some(_) => {
                let slots = change.storage.iter();
                slots.map(|(slot, _)| (*slot, self.storage(&address, *slot))).collect()
            }
        };
        let storage_cleared = account.is_none() || loses_storage;
        AccountDiff { address, account, storage_cleared, storage }
    }
}
