use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::B256;
use tracing::warn;
use turnpike_game::{ClaimError, ClaimProvider, Trace, prove::BlockPosition};
use turnpike_l1::DisputedOutput;

use crate::{AdversaryError, FalseBlock, InboxCopy, OutputRoots, false_block::trace_ending_with};

/// The claims of one dishonest account: some output roots are false, and its runs of the program
/// return them. Without a false block all claims are true.
#[derive(Debug)]
pub struct FalseClaims {
    inbox: Arc<InboxCopy>,
    roots: OutputRoots,
    /// Runs by entry and block.
    traces: BTreeMap<(u64, u64), Trace>,
}

impl FalseClaims {
    /// Claims these roots. If an honest run returns another root, the claims change the registers
    /// of its last state.
    pub const fn new(inbox: Arc<InboxCopy>, roots: OutputRoots) -> Self {
        Self { inbox, roots, traces: BTreeMap::new() }
    }

    /// Claims the truth.
    pub fn honest(inbox: Arc<InboxCopy>) -> Result<Self, AdversaryError> {
        let roots = inbox.roots()?;
        Ok(Self::new(inbox, roots))
    }

    /// Claims a false block, and its root for all later blocks.
    #[must_use]
    pub fn with_last(mut self, false_block: FalseBlock) -> Self {
        self.roots.set_from(false_block.at, false_block.output.hash());
        self.with_trace(false_block)
    }

    /// Claims a false block, and the true roots after it.
    #[must_use]
    pub fn with_one(mut self, false_block: FalseBlock) -> Self {
        self.roots.set(false_block.at, false_block.output.hash());
        self.with_trace(false_block)
    }

    fn with_trace(mut self, FalseBlock { at, trace, .. }: FalseBlock) -> Self {
        self.traces.insert((at.entry, at.index), trace);
        self
    }

    /// The claimed roots.
    pub const fn roots(&self) -> &OutputRoots {
        &self.roots
    }

    fn make_trace(&self, at: BlockPosition) -> Result<Option<Trace>, AdversaryError> {
        let Some(mut honest) = self.inbox.trace(at)? else { return Ok(None) };
        let claimed = self.roots.after_block(at);
        if honest.output_root()? == claimed {
            return Ok(Some(honest));
        }
        claimed.map(|root| trace_ending_with(&mut honest, root)).transpose()
    }
}

impl ClaimProvider for FalseClaims {
    fn root_at(&mut self, output: &DisputedOutput, position: u64) -> Result<B256, ClaimError> {
        let (entry, _) = output.block_at(position);
        self.roots.at(output, position).ok_or(ClaimError::NotDerived(entry))
    }

    fn trace(&mut self, output: &DisputedOutput, position: u64) -> Result<&mut Trace, ClaimError> {
        let (entry, index) = output.block_at(position);
        let key = (entry, index);
        if !self.traces.contains_key(&key) {
            let made = self.make_trace(BlockPosition { entry, index });
            let made = made.inspect_err(|error| warn!(%error, entry, index, "cannot run a block"));
            if let Ok(Some(trace)) = made {
                self.traces.insert(key, trace);
            }
        }
        self.traces.get_mut(&key).ok_or(ClaimError::NotPrepared { entry, index })
    }
}
