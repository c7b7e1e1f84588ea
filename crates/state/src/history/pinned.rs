//! States older than the newest blocks.

use alloc::{collections::BTreeSet, vec::Vec};

use crate::{MergedDiff, StateDiff};

/// Reverse diffs between pinned states, up to the oldest of the newest blocks.
///
/// Invariant: each part begins at a pinned state and ends where the next one begins, the last one
/// at the oldest of the newest blocks.
#[derive(Clone, Debug, Default)]
pub(super) struct PinnedStates {
    blocks: BTreeSet<u64>,
    /// The oldest first.
    parts: Vec<Part>,
}

/// The way back to a pinned state.
#[derive(Clone, Debug)]
struct Part {
    /// Its block.
    block: u64,
    /// Reverse diffs merged so far, which take twice as many blocks each: a merge costs as much as
    /// both, so a block is merged a few times and not with each one after it. The oldest first.
    undos: Vec<PartUndo>,
}

#[derive(Clone, Debug)]
struct PartUndo {
    blocks: u64,
    diff: StateDiff,
}

impl PinnedStates {
    /// Replaces the pinned blocks.
    pub(super) fn pin(&mut self, blocks: BTreeSet<u64>) {
        self.blocks = blocks;
        let first = self.parts.iter().position(|part| self.blocks.contains(&part.block));
        self.parts.drain(..first.unwrap_or(self.parts.len()));
        for at in (1..self.parts.len()).rev() {
            if !self.blocks.contains(&self.parts[at].block) {
                let later = self.parts.remove(at);
                later.undos.into_iter().for_each(|undo| self.parts[at - 1].push(undo));
            }
        }
    }

    /// Takes the reverse diff of the block after `before`, which leaves the newest blocks. Drops it
    /// if no older state is pinned.
    pub(super) fn push(&mut self, before: u64, diff: StateDiff) {
        if self.blocks.contains(&before) {
            self.parts.push(Part { block: before, undos: Vec::new() });
        }
        if let Some(part) = self.parts.last_mut() {
            part.push(PartUndo { blocks: 1, diff });
        }
    }

    /// The newest pinned state at or before `block`.
    pub(super) fn kept_before(&self, block: u64) -> Option<u64> {
        self.parts.iter().map(|part| part.block).rfind(|pinned| *pinned <= block)
    }

    /// The diffs from the oldest of the newest blocks back to a pinned state, in the order in which
    /// they apply. `None` if the state is not pinned.
    pub(super) fn undos_to(&self, block: u64) -> Option<Vec<&StateDiff>> {
        let first = self.parts.iter().position(|part| part.block == block)?;
        let undos = self.parts[first..].iter().flat_map(|part| &part.undos);
        Some(undos.rev().map(|undo| &undo.diff).collect())
    }

    /// Drops the states from `block` on, which is the newest one now.
    pub(super) fn truncate(&mut self, block: u64) {
        self.parts.retain(|part| part.block < block);
    }
}

impl Part {
    fn push(&mut self, undo: PartUndo) {
        self.undos.push(undo);
        while let [.., older, newer] = self.undos.as_slice()
            && older.blocks <= newer.blocks
        {
            let blocks = older.blocks + newer.blocks;
            let mut merged = MergedDiff::default();
            merged.push(&newer.diff);
            merged.push(&older.diff);
            self.undos.truncate(self.undos.len() - 2);
            self.undos.push(PartUndo { blocks, diff: merged.into_diff() });
        }
    }
}
