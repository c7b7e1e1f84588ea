//! Outputs in a dispute.

use alloy_primitives::B256;

use super::{Phase, Segment};
use crate::ProposedOutput;

/// A disputed output, with the fields of its parent that a dispute needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DisputedOutput {
    /// Index in the `Rollup` contract.
    pub index: u64,
    /// Hash of the output's assertion.
    pub claim: B256,
    /// Entry of the parent output.
    pub parent_entry: u64,
    /// Entry after which the claimed root holds.
    pub entry: u64,
    /// Output root of the parent.
    pub parent_root: B256,
    /// Claimed output root.
    pub root: B256,
    /// Maximum number of blocks that one entry derives.
    pub blocks_per_entry: u64,
}

impl DisputedOutput {
    /// The output with this index; `None` if it or its parent is not among `outputs`.
    pub fn of(outputs: &[ProposedOutput], index: u64, blocks_per_entry: u64) -> Option<Self> {
        let output = outputs.get(usize::try_from(index).ok()?)?;
        let parent = output.parent_in(outputs)?;
        Some(Self {
            index,
            claim: output.claim,
            parent_entry: parent.entry,
            entry: output.entry,
            parent_root: parent.output.hash(),
            root: output.output.hash(),
            blocks_per_entry,
        })
    }

    /// The whole range of the output, as the segment that a challenge divides.
    pub const fn segment(&self) -> Segment {
        Segment {
            answered: self.claim,
            phase: Phase::Blocks,
            block: 0,
            agreed_root: B256::ZERO,
            first: 0,
            last: (self.entry - self.parent_entry) * self.blocks_per_entry,
            start: self.parent_root,
            end: self.root,
        }
    }

    /// The entry, and the index of its block, between `position` and `position + 1`.
    pub const fn block_at(&self, position: u64) -> (u64, u64) {
        let entry = self.parent_entry + 1 + position / self.blocks_per_entry;
        (entry, position % self.blocks_per_entry)
    }
}
