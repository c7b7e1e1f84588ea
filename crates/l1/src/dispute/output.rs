use alloy_primitives::B256;

use super::{Phase, Segment};
use crate::ProposedOutput;

/// An output as a dispute sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DisputedOutput {
    /// Its index.
    pub index: u64,
    /// Its claim.
    pub claim: B256,
    /// Entry of its parent.
    pub parent_entry: u64,
    /// Its entry.
    pub entry: u64,
    /// The parent's root.
    pub parent_root: B256,
    /// Its root.
    pub root: B256,
    /// Most blocks that one entry derives.
    pub blocks_per_entry: u64,
}

impl DisputedOutput {
    /// That output, if `outputs` have it and its parent.
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

    /// All of it, as the one segment that a challenge answers.
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

    /// The entry, and which of its blocks, that lies between `position` and the next.
    pub const fn block_at(&self, position: u64) -> (u64, u64) {
        let entry = self.parent_entry + 1 + position / self.blocks_per_entry;
        (entry, position % self.blocks_per_entry)
    }
}
