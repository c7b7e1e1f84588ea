//! Recent states, kept as reverse diffs of the newest blocks, and few older ones.
//!
//! Job: keep, for the newest blocks, the diff that rewinds each block, and serve the state after
//! any of them. Before the newest blocks, keep one diff from each pinned state to the next: a state
//! is pinned by its block, and costs as much as the keys that changed until the next one. Inputs: [`FlatState::undo_of`](crate::FlatState::undo_of) each diff, taken before
//! the diff is applied. Outputs: a [`HistoricalView`] to execute on, and a merged diff from which
//! [`NodeState::proof_at`](crate::NodeState::proof_at) makes Merkle proofs.
//!
//! Invariant: the kept blocks follow one another without gaps, and the newest is the one whose
//! state the flat tables hold.

mod pinned;
mod proof;
mod undo;
mod view;

use alloc::{
    collections::{BTreeSet, VecDeque},
    vec::Vec,
};

use crate::{MergedDiff, StateDiff};
use pinned::PinnedStates;
pub use view::HistoricalView;

/// Limits of the history. Both apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Maximum number of blocks that can be rewound.
    pub blocks_max: usize,
    /// Maximum number of accounts and slots in all reverse diffs together. It bounds the memory.
    pub items_max: usize,
}

/// The newest blocks with the reverse diff of each.
#[derive(Clone, Debug)]
pub struct History {
    limits: HistoryLimits,
    /// The newest block.
    newest: u64,
    /// Older states.
    pinned: PinnedStates,
    /// Reverse diffs, oldest block first.
    undos: VecDeque<Undo>,
    /// Number of accounts and slots in `undos`.
    items: usize,
}

#[derive(Clone, Debug)]
struct Undo {
    diff: StateDiff,
    items: usize,
}

impl History {
    /// Creates an empty history at the state after `block`.
    #[must_use]
    pub fn new(block: u64, limits: HistoryLimits) -> Self {
        let pinned = PinnedStates::default();
        Self { limits, newest: block, pinned, undos: VecDeque::new(), items: 0 }
    }

    /// Pins the states after these blocks: they are kept whatever the limits say, as long as they
    /// are among the newest ones or pinned already. Drops those that were pinned and are no more.
    pub fn pin(&mut self, blocks: BTreeSet<u64>) {
        self.pinned.pin(blocks);
    }

    /// The newest kept state at or before `block`.
    #[must_use]
    pub fn kept_before(&self, block: u64) -> Option<u64> {
        if block >= self.oldest() {
            return Some(block.min(self.newest));
        }
        self.pinned.kept_before(block)
    }

    /// The newest block.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// The oldest of the newest blocks whose state is available.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        let kept = u64::try_from(self.undos.len()).expect("invariant: a length fits into 64 bits");
        self.newest - kept
    }

    /// Adds `block` with its reverse diff `undo`, and drops the oldest blocks beyond the limits.
    ///
    /// # Panics
    ///
    /// If `block` does not follow the newest one.
    pub fn push(&mut self, block: u64, undo: StateDiff) {
        self.push_ahead(block, undo);
        self.trim(block, block);
    }

    /// Adds `block` with its reverse diff `undo` and drops nothing, because the block may still be
    /// rewound.
    ///
    /// # Panics
    ///
    /// If `block` does not follow the newest one.
    pub fn push_ahead(&mut self, block: u64, undo: StateDiff) {
        let next = self.newest.checked_add(1);
        assert_eq!(Some(block), next, "invariant: blocks follow one another");
        let items = undo.accounts.iter().map(|change| 1 + change.storage.len()).sum();
        self.newest = block;
        self.items += items;
        self.undos.push_back(Undo { diff: undo, items });
    }

    /// Drops the oldest blocks beyond the limits. Blocks after `head` do not count towards the
    /// limits, so the state after `head` stays available. The state after `kept`, a recent block
    /// before `head`, stays available too, whatever the limits say.
    pub fn trim(&mut self, head: u64, kept: u64) {
        let ahead = usize::try_from(self.newest.saturating_sub(head)).unwrap_or(usize::MAX);
        let blocks_max = self.limits.blocks_max.saturating_add(ahead);
        let is_over = |history: &Self| {
            let is_too_much = history.items > history.limits.items_max;
            history.undos.len() > blocks_max || (is_too_much && history.oldest() < kept)
        };
        while self.oldest() < head && is_over(self) {
            let before = self.oldest();
            let oldest = self.undos.pop_front().expect("invariant: the oldest can be undone to");
            self.items -= oldest.items;
            self.pinned.push(before, oldest.diff);
        }
    }

    /// Rewinds the history to `block` and returns the diff that rewinds the state: the caller
    /// applies it. Returns `None` and changes nothing if the history does not reach `block`.
    pub fn truncate(&mut self, block: u64) -> Option<StateDiff> {
        let undo = self.undo_to(block)?;
        while self.newest > block
            && let Some(newest) = self.undos.pop_back()
        {
            self.items -= newest.items;
            self.newest -= 1;
        }
        self.newest = block;
        self.pinned.truncate(block);
        Some(undo)
    }

    /// Returns the diff from the newest state to the state after `block`, in canonical order.
    /// `None` if the history does not reach `block`.
    #[must_use]
    pub fn undo_to(&self, block: u64) -> Option<StateDiff> {
        Some(self.merged_to(block)?.into_diff())
    }

    /// [`Self::undo_to`], merged by key for reads.
    #[must_use]
    pub fn merged_to(&self, block: u64) -> Option<MergedDiff> {
        let count = usize::try_from(self.newest.checked_sub(block)?).ok()?;
        let pinned = if block < self.oldest() { self.pinned.undos_to(block)? } else { Vec::new() };
        let mut merged = MergedDiff::default();
        for undo in self.undos.iter().rev().take(count) {
            merged.push(&undo.diff);
        }
        pinned.into_iter().for_each(|undo| merged.push(undo));
        Some(merged)
    }
}
