//! Several diffs merged into one, by key.

use alloy_primitives::{
    Address, B256, Bytes, U256,
    map::{AddressMap, B256Map, Entry, HashMap},
};

use crate::{Account, AccountDiff, StateDiff};

/// Diffs composed one after the other, with a lookup for each value. A checkpoint collects its diff
/// in this form, and a view of a recent state reads from it.
///
/// The cost of a push depends on the pushed diff only, not on what was pushed before.
#[derive(Clone, Debug, Default)]
pub struct MergedDiff {
    accounts: AddressMap<MergedAccount>,
    codes: B256Map<Bytes>,
}

/// The changes to one account; the fields are those of [`AccountDiff`].
#[derive(Clone, Debug, Default)]
pub struct MergedAccount {
    /// The account after the changes; `None` if it no longer exists.
    pub account: Option<Account>,
    /// Whether all earlier storage is gone.
    pub storage_cleared: bool,
    /// The slots that changed, with their new values.
    pub storage: HashMap<U256, U256>,
}

impl MergedDiff {
    /// Merges a `later` diff into this one.
    pub fn push(&mut self, later: &StateDiff) {
        for change in &later.accounts {
            self.push_account(change);
        }
        for (hash, code) in &later.codes {
            self.push_code(*hash, code.clone());
        }
    }

    pub(crate) fn push_account(&mut self, later: &AccountDiff) {
        match self.accounts.entry(later.address) {
            Entry::Vacant(entry) => {
                entry.insert(MergedAccount {
                    account: later.account,
                    storage_cleared: later.storage_cleared,
                    storage: later.storage.iter().copied().collect(),
                });
            }
            Entry::Occupied(mut entry) => entry.get_mut().push(later),
        }
    }

    pub(crate) fn push_code(&mut self, hash: B256, code: Bytes) {
        self.codes.insert(hash, code);
    }

    /// Whether the diff is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.codes.is_empty()
    }

    /// The changes to one account; `None` if the account did not change.
    #[must_use]
    pub fn account(&self, address: &Address) -> Option<&MergedAccount> {
        self.accounts.get(address)
    }

    /// The added code with this hash.
    #[must_use]
    pub fn code(&self, hash: &B256) -> Option<&Bytes> {
        self.codes.get(hash)
    }

    /// The changes as one diff, in canonical order.
    #[must_use]
    pub fn into_diff(mut self) -> StateDiff {
        self.take()
    }

    /// Takes the changes as one diff, in canonical order. Leaves an empty diff with its capacity.
    pub(crate) fn take(&mut self) -> StateDiff {
        let accounts = self.accounts.drain().map(|(address, change)| {
            let MergedAccount { account, storage_cleared, storage } = change;
            let storage = storage.into_iter().collect();
            AccountDiff { address, account, storage_cleared, storage }
        });
        let mut diff =
            StateDiff { accounts: accounts.collect(), codes: self.codes.drain().collect() };
        diff.sort();
        diff
    }
}

impl MergedAccount {
    fn push(&mut self, later: &AccountDiff) {
        let cleared = later.storage_cleared || later.account.is_none() || self.account.is_none();
        if cleared {
            self.storage_cleared = true;
            self.storage.clear();
        }
        self.account = later.account;
        if later.account.is_some() {
            self.storage.extend(later.storage.iter().copied());
        }
    }

    /// The value of a slot if the diff determines it; `None` if the slot did not change.
    #[must_use]
    pub fn slot(&self, slot: &U256) -> Option<U256> {
        if self.account.is_none() {
            return Some(U256::ZERO);
        }
        let value = self.storage.get(slot).copied();
        value.or_else(|| self.storage_cleared.then_some(U256::ZERO))
    }
}
