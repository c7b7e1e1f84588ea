//! Applies a diff on several threads.
//!
//! Job: compute what [`FlatState::follow`] computes, down to the entry numbers. Cache misses take
//! most of the time, so the threads share them:
//!
//! 1. Workers look up pieces of the diff and decide how each entry changes. Nothing is written.
//! 2. One thread inserts and removes entries, in the order of the diff.
//! 3. The chunks of entries are divided into shares. Each worker goes through all decisions and
//!    writes the changed values of the entries in its share.
//!
//! Invariant: a diff names each account and each slot once, so that no decision of the first step
//! depends on another.

use alloc::{vec, vec::Vec};
use alloy_primitives::{Address, U256};
use core::ops::Range;

use super::{
    FlatState,
    codes::Codes,
    entry::{AccountValue, Packed, SlotKey},
};
use crate::{
    AccountDiff, StateDiff, StorageId,
    changes::{Change, Changes, EntryChange},
    table::{self, FIND_MAX},
    workers::Workers,
};

/// Accounts and slots in a piece of a diff.
const PIECE_ITEMS: usize = 2048;
/// Shares of the entries per worker, so that all workers finish at about the same time.
const SHARES_PER_WORKER: usize = 2;

/// Some accounts of a diff with all of their slots, or one account with some of its slots.
struct DiffPiece<'a> {
    accounts: &'a [AccountDiff],
    /// Index of the first account in the diff.
    first: usize,
    /// Range of the slots, if not all.
    storage: Option<Range<usize>>,
    /// Index of the first slot among the slots of the whole diff.
    first_slot: usize,
    /// Empty if an earlier piece holds the account's change.
    account_changes: &'a mut [Change],
    slot_changes: &'a mut [Change],
    plan: PiecePlan,
}

/// The insertions and removals that a piece still needs.
#[derive(Default)]
struct PiecePlan {
    /// Runs of slots with an insertion or a removal.
    arrivals: Vec<Stretch>,
    /// Index of an account that belongs to an earlier piece, if this piece changes slots of it.
    touched: Option<usize>,
}

/// Some slots of one account.
struct Stretch {
    /// Index of the account in the diff.
    account: usize,
    storage: Range<usize>,
    /// Index of the first slot among the slots of the whole diff.
    first_slot: usize,
}

/// Where to look for an account's slots.
#[derive(Clone, Copy)]
enum Home {
    /// The account was removed.
    Gone,
    /// The account has no slots or loses all of them.
    Empty,
    There(StorageId),
}

/// A share of the entries.
struct EntryShare<'a> {
    accounts: table::TableShare<'a, Address, AccountValue>,
    slots: table::TableShare<'a, SlotKey, Packed>,
    codes: &'a Codes,
}

impl FlatState {
    /// [`Self::apply`] on the threads of a pool.
    ///
    /// # Panics
    ///
    /// Where [`Self::apply`] does.
    #[cfg(feature = "std")]
    pub fn apply_on(&mut self, diff: &StateDiff, pool: &rayon::ThreadPool) {
        self.follow_with(diff, Workers::pool(pool));
        self.release();
    }

    /// [`Self::follow`], on several workers if the diff is large enough.
    pub(crate) fn follow_with(&mut self, diff: &StateDiff, workers: Workers<'_>) -> Changes {
        if workers.count() == 1 {
            return self.follow(diff);
        }
        let slots: usize = diff.accounts.iter().map(|change| change.storage.len()).sum();
        if diff.accounts.len() + slots < 2 * PIECE_ITEMS {
            return self.follow(diff);
        }
        self.add_codes(diff);
        let mut changes = Changes {
            accounts: vec![Change::SAME; diff.accounts.len()],
            slots: vec![Change::SAME; slots],
        };
        let mut pieces = cut(diff, &mut changes);
        workers.run(&mut pieces, |piece| piece.decide(self));
        let plans: Vec<PiecePlan> = pieces.into_iter().map(|piece| piece.plan).collect();
        for plan in &plans {
            self.settle(diff, plan, &mut changes);
        }
        self.write(diff, &changes, workers);
        changes
    }

    /// Inserts and removes entries.
    fn settle(&mut self, diff: &StateDiff, plan: &PiecePlan, changes: &mut Changes) {
        for Stretch { account, storage, first_slot } in &plan.arrivals {
            let change = &diff.accounts[*account];
            let done = &mut changes.accounts[*account];
            if storage.start == 0 {
                *done = self.settle_account(change, *done);
            }
            let number = done.number();
            let slots = &mut changes.slots[*first_slot..];
            for ((slot, value), done) in change.storage[storage.clone()].iter().zip(slots) {
                let found = match done.kind() {
                    EntryChange::Insert => None,
                    EntryChange::Remove => Some(done.number()),
                    EntryChange::Same | EntryChange::Touch => continue,
                };
                let key = SlotKey::new(StorageId::of(number), *slot);
                *done = self.set_slot(number, &key, *value, found);
            }
        }
        if let Some(account) = plan.touched {
            let done = &mut changes.accounts[account];
            if done.kind() == EntryChange::Same {
                *done = Change::new(EntryChange::Touch, done.number());
            }
        }
    }

    fn settle_account(&mut self, change: &AccountDiff, decided: Change) -> Change {
        match (decided.kind(), &change.account) {
            (EntryChange::Remove, _) => self.remove_account(decided.number()),
            (EntryChange::Insert, Some(account)) => {
                let (kind, number) = self.set_account(&change.address, account, None);
                Change::new(kind, number)
            }
            _ => {
                if change.storage_cleared {
                    self.clear_storage(decided.number());
                }
                decided
            }
        }
    }

    /// Writes the changed values of entries that stay.
    fn write(&mut self, diff: &StateDiff, changes: &Changes, workers: Workers<'_>) {
        let Self { accounts, slots, codes } = self;
        let count = workers.count() * SHARES_PER_WORKER;
        let pairs = accounts.shares_mut(count).into_iter().zip(slots.shares_mut(count));
        let mut shares: Vec<_> =
            pairs.map(|(accounts, slots)| EntryShare { accounts, slots, codes }).collect();
        workers.run(&mut shares, |share| share.write(diff, changes));
    }
}

impl EntryShare<'_> {
    fn write(&mut self, diff: &StateDiff, changes: &Changes) {
        let mut slots = &changes.slots[..];
        for (change, done) in diff.accounts.iter().zip(&changes.accounts) {
            if done.kind() == EntryChange::Touch
                && let Some(value) = self.accounts.value_mut(done.number())
                && let Some(account) = &change.account
            {
                // `settle` has already updated the number of slots.
                *value = self.codes.value_of(&change.address, account, value.slots);
            }
            let (own, rest) = slots.split_at(change.storage.len());
            slots = rest;
            for (done, (_, new)) in own.iter().zip(&change.storage) {
                if done.kind() == EntryChange::Touch
                    && let Some(value) = self.slots.value_mut(done.number())
                {
                    *value = (*new).into();
                }
            }
        }
    }
}

/// Divides a diff into pieces of about equal size, each with its section of `changes`.
fn cut<'a>(diff: &'a StateDiff, changes: &'a mut Changes) -> Vec<DiffPiece<'a>> {
    let mut pieces = Vec::new();
    let (mut account_changes, mut slot_changes) =
        (&mut changes.accounts[..], &mut changes.slots[..]);
    let (mut first, mut first_slot) = (0, 0);
    let mut push = |accounts: Range<usize>, slots: usize, storage: Option<Range<usize>>| {
        let has_accounts = storage.as_ref().is_none_or(|storage| storage.start == 0);
        let own = if has_accounts { accounts.len() } else { 0 };
        let account_changes = account_changes.split_off_mut(..own);
        let slot_changes = slot_changes.split_off_mut(..slots);
        pieces.push(DiffPiece {
            accounts: &diff.accounts[accounts.clone()],
            first: accounts.start,
            storage,
            first_slot,
            account_changes: account_changes.expect("invariant: one for each account"),
            slot_changes: slot_changes.expect("invariant: one for each slot"),
            plan: PiecePlan::default(),
        });
        first_slot += slots;
    };
    let mut slots = 0;
    for (at, change) in diff.accounts.iter().enumerate() {
        let count = change.storage.len();
        if count >= PIECE_ITEMS {
            push(first..at, slots, None);
            for from in (0..count).step_by(PIECE_ITEMS) {
                let storage = from..count.min(from + PIECE_ITEMS);
                push(at..at + 1, storage.len(), Some(storage));
            }
            (first, slots) = (at + 1, 0);
            continue;
        }
        slots += count;
        if at + 1 - first + slots >= PIECE_ITEMS {
            push(first..at + 1, slots, None);
            (first, slots) = (at + 1, 0);
        }
    }
    push(first..diff.accounts.len(), slots, None);
    pieces
}

impl DiffPiece<'_> {
    /// Decides how each entry changes.
    fn decide(&mut self, flat: &FlatState) {
        let mut from = 0;
        for (batch, some) in self.accounts.chunks(FIND_MAX).enumerate() {
            let (found, _) = flat.accounts.find_many(some.iter().map(|change| &change.address));
            for (at, (change, number)) in (batch * FIND_MAX..).zip(some.iter().zip(found)) {
                let storage = self.storage.clone().unwrap_or(0..change.storage.len());
                let first_slot = self.first_slot + from;
                let slots = from..from + storage.len();
                from = slots.end;
                let (mut done, home) = Self::decide_account(flat, change, number);
                let (touched, mut arrives) =
                    self.decide_slots(flat, home, &change.storage[storage.clone()], slots);
                if touched && done.kind() == EntryChange::Same {
                    done = Change::new(EntryChange::Touch, done.number());
                }
                let account = self.first + at;
                match self.account_changes.get_mut(at) {
                    Some(change) => *change = done,
                    None => self.plan.touched = touched.then_some(account),
                }
                arrives |= matches!(done.kind(), EntryChange::Insert | EntryChange::Remove);
                arrives |= change.storage_cleared && done.kind() == EntryChange::Touch;
                if arrives {
                    self.plan.arrivals.push(Stretch { account, storage, first_slot });
                }
            }
        }
    }

    fn decide_account(
        flat: &FlatState,
        change: &AccountDiff,
        number: Option<u32>,
    ) -> (Change, Home) {
        let (number, account) = match (number, &change.account) {
            (None, None) => return (Change::SAME, Home::Gone),
            (Some(number), None) => return (Change::new(EntryChange::Remove, number), Home::Gone),
            (None, Some(_)) => return (Change::new(EntryChange::Insert, 0), Home::Empty),
            (Some(number), Some(account)) => (number, account),
        };
        let held = &flat.accounts.entry(number).value;
        let is_same = flat.codes.value_of(&change.address, account, held.slots).is_same(held);
        let loses_slots = change.storage_cleared && held.slots != 0;
        let kind = if is_same && !loses_slots { EntryChange::Same } else { EntryChange::Touch };
        let home =
            if change.storage_cleared { Home::Empty } else { Home::There(StorageId::of(number)) };
        (Change::new(kind, number), home)
    }

    /// Decides how these slots change. Returns whether any changes, and whether one is inserted or
    /// removed.
    fn decide_slots(
        &mut self,
        flat: &FlatState,
        home: Home,
        storage: &[(U256, U256)],
        places: Range<usize>,
    ) -> (bool, bool) {
        let out = &mut self.slot_changes[places];
        let id = match home {
            Home::Gone => return (false, false),
            Home::Empty => {
                let mut any = false;
                for ((_, value), out) in storage.iter().zip(out) {
                    if !value.is_zero() {
                        (*out, any) = (Change::new(EntryChange::Insert, 0), true);
                    }
                }
                return (any, any);
            }
            Home::There(id) => id,
        };
        let (mut touched, mut arrives) = (false, false);
        for (some, out) in storage.chunks(FIND_MAX).zip(out.chunks_mut(FIND_MAX)) {
            let found = flat.find_slots(id, some.iter().map(|(slot, _)| *slot));
            for (((_, value), found), out) in some.iter().zip(found).zip(out) {
                *out = match found {
                    Some(number) if value.is_zero() => Change::new(EntryChange::Remove, number),
                    Some(number) if flat.slots.entry(number).value.get() == *value => Change::SAME,
                    Some(number) => Change::new(EntryChange::Touch, number),
                    None if value.is_zero() => Change::SAME,
                    None => Change::new(EntryChange::Insert, 0),
                };
                touched |= *out != Change::SAME;
                arrives |= matches!(out.kind(), EntryChange::Insert | EntryChange::Remove);
            }
        }
        (touched, arrives)
    }
}
