//! State diffs: the final value of everything that a block changed.

use alloc::vec::Vec;
use alloy_primitives::{
    Address, B256, Bytes, U256,
    map::{AddressMap, Entry},
};

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

    /// Takes up other slots of the same account, which otherwise is the same there.
    fn join(&mut self, other: Self) {
        let agree = self.account.is_some() && self.account == other.account;
        assert!(
            agree && !self.storage_cleared && !other.storage_cleared,
            "invariant: overlays agree on account {}",
            self.address
        );
        self.storage.extend(other.storage);
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

    /// Overlays that were made side by side over one state, as one diff: applying it equals
    /// applying them one after the other, in whatever order.
    ///
    /// An account whose slots change may be in several overlays, with other slots in each. All of
    /// them then say the same of the account itself: who writes a slot has read the account, so
    /// that no other overlay can have changed it. Any other account is in one overlay.
    ///
    /// Costs little more than moving the accounts: only those with slots are looked for again.
    ///
    /// # Panics
    ///
    /// If overlays say different things of an account with slots, or one removes it or clears its
    /// storage.
    #[must_use]
    pub fn join(overlays: Vec<Self>) -> Self {
        let count: usize = overlays.iter().map(|overlay| overlay.accounts.len()).sum();
        let mut overlays = overlays.into_iter();
        let mut joined = overlays.next().unwrap_or_default();
        if overlays.len() == 0 {
            return joined;
        }
        joined.accounts.reserve(count - joined.accounts.len());
        let with_slots = joined.accounts.iter().enumerate();
        let with_slots = with_slots.filter(|(_, change)| !change.storage.is_empty());
        let mut places: AddressMap<usize> =
            with_slots.map(|(place, change)| (change.address, place)).collect();
        for overlay in overlays {
            joined.codes.extend(overlay.codes);
            for change in overlay.accounts {
                if change.storage.is_empty() {
                    joined.accounts.push(change);
                    continue;
                }
                match places.entry(change.address) {
                    Entry::Occupied(place) => joined.accounts[*place.get()].join(change),
                    Entry::Vacant(place) => {
                        place.insert(joined.accounts.len());
                        joined.accounts.push(change);
                    }
                }
            }
        }
        joined.join_without_slots(&places);
        // Two lanes can have deployed the same code.
        joined.codes.sort_unstable_by_key(|(hash, _)| *hash);
        joined.codes.dedup_by_key(|(hash, _)| *hash);
        joined
    }

    /// Drops accounts without slots that are also there with slots, at `places`.
    fn join_without_slots(&mut self, places: &AddressMap<usize>) {
        if places.is_empty() {
            return;
        }
        let has_slots = |change: &AccountDiff| !change.storage.is_empty();
        let is_twice =
            |change: &AccountDiff| !has_slots(change) && places.contains_key(&change.address);
        let twice: Vec<AccountDiff> =
            self.accounts.iter().filter(|change| is_twice(change)).cloned().collect();
        if twice.is_empty() {
            return;
        }
        for change in twice {
            self.accounts[places[&change.address]].join(change);
        }
        self.accounts.retain(|change| !is_twice(change));
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
