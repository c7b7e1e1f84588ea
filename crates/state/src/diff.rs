//! State diffs: the final value of everything that a block changed.

use alloc::vec::Vec;
use alloy_primitives::{
    Address, B256, Bytes, U256,
    map::{AddressMap, Entry},
};

use crate::{Account, MergedDiff};

/// The changes to one account.
///
/// The parts apply in this order: storage is wiped if `storage_cleared`, then `storage` is written,
/// then `account` is set. If `account` is `None`, the account and all of its storage are removed,
/// and the other two fields have no effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountDiff {
    /// The account's address.
    pub address: Address,
    /// The account after the change; `None` if it no longer exists.
    pub account: Option<Account>,
    /// Whether all earlier storage is dropped first (the account was destroyed and created again).
    pub storage_cleared: bool,
    /// Changed slots with their new values; zero deletes the slot. Each slot occurs once. The order
    /// is free.
    pub storage: Vec<(U256, U256)>,
}

/// The changes between two states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateDiff {
    /// Changed accounts. Each address occurs once. The order is free. An account with changed
    /// storage is listed even if the account itself is the same.
    pub accounts: Vec<AccountDiff>,
    /// Codes that were not stored before, each with its keccak hash.
    pub codes: Vec<(B256, Bytes)>,
}

impl AccountDiff {
    /// Merges a `later` change of the same account into this one. The result is in canonical order.
    pub fn merge(&mut self, later: Self) {
        let mut merged = MergedDiff::default();
        merged.push_account(self);
        merged.push_account(&later);
        let diff = merged.into_diff().accounts.pop();
        *self = diff.expect("invariant: the account was pushed");
    }

    /// Adds slots of the same account from another overlay, which agrees on the account itself.
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
    /// Whether the diff is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.codes.is_empty()
    }

    /// Composes two diffs: applying the result equals applying `self` and then `later`. The result
    /// is in canonical order. To merge many diffs, push them to a [`MergedDiff`].
    pub fn merge(&mut self, later: Self) {
        let mut merged = MergedDiff::default();
        merged.push(self);
        merged.push(&later);
        *self = merged.into_diff();
    }

    /// Joins overlays that lanes computed in parallel over one state. Applying the result equals
    /// applying the overlays one after the other in any order.
    ///
    /// An account with changed slots may be in several overlays, each with other slots. These
    /// overlays agree on the account itself: a lane that writes a slot reads the account, so no
    /// other lane can have changed the account. Every other account is in one overlay.
    ///
    /// The cost is little more than moving the accounts, because only accounts with slots are
    /// searched for duplicates.
    ///
    /// # Panics
    ///
    /// If overlays disagree on an account with slots, or if one of them removes the account or
    /// clears its storage.
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

    /// Drops accounts without slots that also occur with slots, at `places`.
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

    /// Sorts the diff into canonical order: by address, slot and code hash.
    pub fn sort(&mut self) {
        self.accounts.sort_unstable_by_key(|change| change.address);
        for change in &mut self.accounts {
            change.storage.sort_unstable_by_key(|(slot, _)| *slot);
        }
        self.codes.sort_unstable_by_key(|(hash, _)| *hash);
    }
}
