//! Turns a diff into changes of tries.

use alloc::vec::Vec;
use alloy_primitives::B256;

use super::{
    Engine, Forest, Grove, Storages,
    commit::{self, Tries},
    leaves::{AccountLeaves, SlotLeaves},
};
use crate::{
    FlatState, StateDiff, StateRoots,
    changes::{Change, Changes, EntryChange},
    trie::LeafChange,
};

/// An arena is rewritten when more than one in this many of its bytes is free.
const FREE_SHARE_MAX: usize = 4;
/// Arenas with fewer bytes are never rewritten.
const REWRITTEN_BYTES_MIN: usize = 1 << 12;

impl Forest {
    /// Applies a diff, which changed the flat tables by `changes`, to the tries. Returns the new
    /// roots.
    pub(crate) fn follow(
        &mut self,
        diff: &StateDiff,
        changes: &Changes,
        flat: &FlatState,
        engine: Engine<'_>,
    ) -> StateRoots {
        let slots = self.slot_ops(diff, changes);
        let tries = Tries { roots: &mut self.storages.roots, touched: &slots.tries };
        commit::commit(&mut self.grove, tries, slots.ops, 32, &SlotLeaves { flat }, engine);
        for account in slots.accounts {
            if self.storages.root(account).is_some_and(|root| root.is_nil()) {
                self.storages.remove(account);
            }
        }
        let ops = account_ops(diff, changes);
        let tries = Tries { roots: &mut self.accounts, touched: &[0] };
        let leaves = AccountLeaves { flat, storages: &self.storages };
        commit::commit(&mut self.grove, tries, ops, 20, &leaves, engine);
        self.rewrite_one();
        self.roots(flat)
    }

    /// Collects the changes of slots. Also drops the storage tries of removed and cleared accounts.
    fn slot_ops(&mut self, diff: &StateDiff, changes: &Changes) -> SlotOps {
        let mut out = SlotOps::default();
        out.ops.reserve(changes.slots.len());
        let mut slots = changes.slots.iter();
        for (change, account) in diff.accounts.iter().zip(&changes.accounts) {
            let kind = account.kind();
            if kind == EntryChange::Remove || (change.storage_cleared && kind == EntryChange::Touch)
            {
                drop_storage(&mut self.grove, &mut self.storages, account.number());
            }
            let from = out.ops.len();
            let trie = u32::try_from(out.tries.len()).expect("invariant: fewer than 2^32 accounts");
            for ((slot, _), change) in change.storage.iter().zip(slots.by_ref()) {
                if *change != Change::SAME {
                    let key = B256::from(*slot);
                    out.ops.push(LeafChange { key, change: *change, trie });
                }
            }
            if out.ops.len() > from {
                out.tries.push(self.storages.number_or_new(account.number()));
                out.accounts.push(account.number());
            }
        }
        out
    }

    /// Rewrites at most one arena: the one with the most free bytes. This bounds the space that
    /// freed records take, and no commit copies more than a sixteenth of the state.
    fn rewrite_one(&mut self) {
        let arenas = self.grove.arenas.iter().chain([&self.grove.crown]);
        let free = |(number, (used, free)): (usize, (usize, usize))| {
            let worth_it = used >= REWRITTEN_BYTES_MIN && free > used / FREE_SHARE_MAX;
            worth_it.then_some((free, number))
        };
        let worst = arenas.map(super::Arena::usage).enumerate().filter_map(free).max();
        if let Some((_, number)) = worst {
            let roots = self.accounts.iter_mut().chain(&mut self.storages.roots);
            self.grove.rewrite(number, roots);
        }
    }
}

/// Changes to storage tries. `LeafChange::trie` is an index into `tries` and `accounts`.
#[derive(Default)]
struct SlotOps {
    ops: Vec<LeafChange>,
    tries: Vec<u32>,
    accounts: Vec<u32>,
}

fn account_ops(diff: &StateDiff, changes: &Changes) -> Vec<LeafChange> {
    let changed = diff.accounts.iter().zip(&changes.accounts);
    let changed = changed.filter(|(_, change)| change.kind() != EntryChange::Same);
    let ops = changed.map(|(diff, change)| {
        let key = B256::right_padding_from(diff.address.as_slice());
        LeafChange { key, change: *change, trie: 0 }
    });
    ops.collect()
}

/// Drops the storage trie of an account, if it has one.
fn drop_storage(grove: &mut Grove, storages: &mut Storages, account: u32) {
    if let Some(root) = storages.root(account) {
        grove.free(root);
        storages.remove(account);
    }
}
