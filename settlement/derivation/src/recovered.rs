use turnpike_l1::PostedEntry;
use turnpike_protocol::{
    BatchFault, BlockInput, ChainConfig, DeriveError, Derived, EntryData, Parent, StateRootPrefix,
    derive,
};
use turnpike_signers::recover_blocks;

/// An entry's blocks with their signers: everything that executing them needs but the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredEntry {
    /// The entry on L1.
    pub posted: PostedEntry,
    /// The block before the first one.
    pub parent: Parent,
    /// At least one block.
    pub blocks: Vec<BlockInput>,
    /// Prefixes of the state roots that the sequencer claims, one per block.
    pub claimed_state_roots: Vec<Option<StateRootPrefix>>,
    /// Why derivation skipped its batch; `None` if it did not.
    pub fault: Option<BatchFault>,
}

impl RecoveredEntry {
    /// Derives an entry on top of `parent` and recovers the signers of all its blocks at once.
    pub(crate) fn derive(
        config: &ChainConfig,
        parent: Parent,
        posted: &PostedEntry,
        data: &EntryData<'_>,
    ) -> Result<Self, DeriveError> {
        let Derived { blocks, claimed_state_roots, fault, .. } = derive(config, parent, data)?;
        let blocks = recover_blocks(blocks);
        Ok(Self { posted: *posted, parent, blocks, claimed_state_roots, fault })
    }

    /// The last block, as the parent of the next.
    pub fn last(&self) -> Parent {
        self.blocks.last().map_or(self.parent, BlockInput::as_parent)
    }
}
