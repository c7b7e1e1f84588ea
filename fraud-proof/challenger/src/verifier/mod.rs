//! The verifier: derives the chain from L1 alone and judges outputs by it.
//!
//! # State
//!
//! The follower's chain with a bounded history of states, and what is known of every derived entry
//! and block. A reorg rewinds all of it.
//!
//! # Invariants
//!
//! A verdict depends on the genesis file and on what L1's accumulators authenticate. State roots
//! that the sequencer posts explain a divergence, but never decide.

mod confirm;
mod judge;
mod prove;

use std::sync::Arc;

use alloy_primitives::B256;
use confirm::Confirmations;
pub use confirm::EngineFault;
use serde::Serialize;
use tracing::warn;
use turnpike_derivation::{Derivation, DerivationError, FollowedBlock, Follower, RecoveredEntry};
use turnpike_executor::{EngineConfig, Mode};
use turnpike_l1::{OutputStatus, PostedEntry, ProposedOutput};
use turnpike_protocol::{
    BatchFault, EntryData, Genesis, Header, OutputRoot, StateRootPrefix, state_root_prefix,
};
use turnpike_state::FlatState;

use crate::{Divergence, Replay, history, history::History};

/// Derives and executes the chain entry by entry, and judges outputs by it. Has no I/O and no
/// clock.
#[derive(Debug)]
pub struct Verifier {
    follower: Follower,
    /// Derived entries, by index. Entry 0 holds the genesis block.
    entries: Vec<DerivedEntry>,
    /// Derived blocks, by number. Block 0 is the genesis block.
    blocks: Vec<DerivedBlock>,
    history: History,
    first_divergence: Option<BatchDivergence>,
    /// The block of `first_divergence`, kept until an output is built on it, however late.
    pinned: Option<Arc<Replay>>,
    /// How blocks run, unless the reference executor has to confirm an entry.
    mode: Mode,
    confirmations: Confirmations,
}

/// The result of deriving and executing an entry.
#[derive(Clone, Debug)]
pub struct DerivedEntry {
    /// Number of its last block.
    pub last_block: u64,
    /// Preimage of the output root after the entry.
    pub output: OutputRoot,
    /// Header of its last block.
    pub header: Header,
    /// The first block whose posted state root differs from the derived one.
    pub first_divergence: Option<BatchDivergence>,
    /// Prefix of the state root posted for its last block, if any.
    pub claimed_state_root: Option<StateRootPrefix>,
    /// Why its batch was skipped.
    pub fault: Option<BatchFault>,
    /// Whether the reference executor has run its blocks, now or before.
    pub is_confirmed: bool,
}

/// Hash and roots of a derived block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerivedBlock {
    /// Block hash.
    pub hash: B256,
    /// State root after the block.
    pub state_root: B256,
    /// Output root after the block.
    pub output_root: B256,
}

/// A block for which the sequencer posted a wrong state root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchDivergence {
    /// Entry that holds the batch.
    pub entry: u64,
    /// Number of the block.
    pub block: u64,
    /// Prefix of the posted state root.
    pub claimed: StateRootPrefix,
    /// The derived state root.
    pub derived: B256,
}

/// Whether a proposed output is right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "verdict")]
pub enum Verdict {
    /// The output's entry is not derived yet: neither challenge nor defend it.
    Unknown,
    /// The output equals the derived one.
    Ok,
    /// The output differs from the derived one.
    Wrong {
        /// Where and how it differs.
        divergence: Box<Divergence>,
    },
}

impl Verifier {
    /// A verifier at the genesis block.
    pub fn new(genesis: &Genesis) -> Self {
        Self::new_with(genesis, EngineConfig::default())
    }

    /// A verifier at the genesis block that runs blocks with this engine.
    pub fn new_with(genesis: &Genesis, execution: EngineConfig) -> Self {
        let follower = Follower::new(genesis, execution);
        let head = follower.head();
        let entry = DerivedEntry {
            last_block: 0,
            output: head.output,
            header: head.header.clone(),
            first_divergence: None,
            claimed_state_root: None,
            fault: None,
            is_confirmed: true,
        };
        let block = DerivedBlock {
            hash: head.hash(),
            state_root: head.output.state_root,
            output_root: head.output.hash(),
        };
        Self {
            follower,
            entries: vec![entry],
            blocks: vec![block],
            history: History::default(),
            first_divergence: None,
            pinned: None,
            mode: execution.mode,
            confirmations: Confirmations::default(),
        }
    }

    /// Index of the next entry to feed. Entry 0 has no blocks and is not fed.
    pub const fn next_entry(&self) -> u64 {
        self.follower.next_entry()
    }

    /// Preimage of the output root after the genesis block.
    pub fn genesis_output(&self) -> OutputRoot {
        self.entries[0].output
    }

    /// The derived entries, without their blocks.
    pub(crate) const fn derivation(&self) -> &Derivation {
        self.follower.derivation()
    }

    /// Entry `index`, if it is derived.
    pub fn entry(&self, index: u64) -> Option<&DerivedEntry> {
        self.entries.get(usize::try_from(index).ok()?)
    }

    /// Block `number`, if it is derived.
    pub fn block(&self, number: u64) -> Option<&DerivedBlock> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    /// Number of the newest derived block.
    pub const fn head(&self) -> u64 {
        self.follower.head().header.number
    }

    /// The chain's first block with a wrong posted state root.
    pub const fn first_divergence(&self) -> Option<&BatchDivergence> {
        self.first_divergence.as_ref()
    }

    /// The state after a block; `None` if the block is older than the kept history.
    pub fn state_after(&self, block: u64) -> Option<FlatState> {
        history::state_after(self.follower.chain(), block)
    }

    /// A block to run again; `None` if it is older than the kept history. The block of
    /// [`Self::first_divergence`] is always kept.
    pub fn replay(&self, block: u64) -> Option<Arc<Replay>> {
        match self.pinned.as_ref().filter(|pinned| pinned.number() == block) {
            Some(pinned) => Some(Arc::clone(pinned)),
            None => self.history.replay(self.follower.chain(), block).map(Arc::new),
        }
    }

    /// Derives and executes the next entry.
    ///
    /// # Errors
    ///
    /// After a [`DerivationError::Order`] or [`DerivationError::Derive`] the verifier is unchanged.
    pub fn feed(
        &mut self,
        posted: &PostedEntry,
        source: &EntryData<'_>,
    ) -> Result<&DerivedEntry, DerivationError> {
        let recovered = self.follower.derivation().recover(posted, source)?;
        self.feed_recovered(recovered)
    }

    /// Like [`Self::feed`], of an entry whose signers were recovered.
    ///
    /// # Errors
    ///
    /// After a [`DerivationError::Order`] or [`DerivationError::Parent`] the verifier is unchanged.
    pub fn feed_recovered(
        &mut self,
        recovered: RecoveredEntry,
    ) -> Result<&DerivedEntry, DerivationError> {
        let posted = recovered.posted;
        let entry = posted.entry.index;
        let mode = self.confirmations.mode_for(entry, self.mode);
        self.follower.chain().engine().set_mode(mode);
        let mut divergences = Vec::new();
        let mut claimed_state_root = None;
        let Self { follower, history, blocks, .. } = self;
        let show = |FollowedBlock { chain, input, outcome, claimed }: FollowedBlock<'_>| {
            let (block, derived) = (input.number, outcome.output.state_root);
            let (hash, output_root) = (outcome.hash(), outcome.output.hash());
            history.push(chain, input);
            blocks.push(DerivedBlock { hash, state_root: derived, output_root });
            claimed_state_root = claimed;
            let is_other = |claimed: &StateRootPrefix| *claimed != state_root_prefix(&derived);
            if let Some(claimed) = claimed.filter(is_other) {
                divergences.push(BatchDivergence { entry, block, claimed, derived });
            }
        };
        let fault = follower.apply_recovered(recovered, show)?.fault.clone();
        let head = self.follower.head();
        let root = head.output.hash();
        let is_confirmed = self.confirmations.is_confirmed(entry, posted.acc, root, mode);
        self.entries.push(DerivedEntry {
            last_block: head.header.number,
            output: head.output,
            header: head.header.clone(),
            first_divergence: divergences.first().copied(),
            claimed_state_root,
            fault,
            is_confirmed,
        });
        self.confirmations.compare(entry, posted.acc, root);
        if let Some(divergence) = divergences.first() {
            self.keep_divergence(*divergence);
        }
        Ok(self.entries.last().expect("invariant: just pushed"))
    }

    /// Keeps the states from which standing outputs are derived and confirmed: after them, and after
    /// the newest final one.
    pub fn keep_states_of(&mut self, outputs: &[ProposedOutput]) {
        let is_standing = |output: &&ProposedOutput| {
            matches!(output.status, OutputStatus::Proposed | OutputStatus::Challenged)
        };
        let last_final = outputs.iter().rfind(|output| output.status == OutputStatus::Final);
        let kept = outputs.iter().filter(is_standing).chain(last_final);
        self.follower.keep_states_after(kept.map(|output| output.entry).collect());
    }

    /// Rewinds to the last entry that `entries`, L1's by index, still contain. If that is older
    /// than the kept history, rewinds to the genesis block.
    pub fn rewind_to_common(&mut self, entries: &[PostedEntry]) {
        self.follower.rewind_to_common(entries);
        self.truncate();
    }

    /// Rewinds so that entry `next` is derived next. If that is older than the kept history,
    /// rewinds to the genesis block: see [`Self::next_entry`].
    pub fn rewind(&mut self, next: u64) {
        self.follower.rewind(next);
        self.truncate();
    }

    /// Drops what is beyond the follower's head.
    fn truncate(&mut self) {
        let head = self.head();
        self.entries.truncate(usize::try_from(self.next_entry()).unwrap_or(usize::MAX));
        self.blocks.truncate(usize::try_from(head + 1).unwrap_or(usize::MAX));
        self.history.truncate(head);
        self.first_divergence = self.first_divergence.filter(|it| it.block <= head);
        self.pinned = self.pinned.take().filter(|pinned| pinned.number() <= head);
    }

    /// Keeps the chain's first divergence, with its block to explain it later.
    fn keep_divergence(&mut self, divergence: BatchDivergence) {
        if self.first_divergence.is_some() {
            return;
        }
        let BatchDivergence { entry, block, claimed, derived } = divergence;
        warn!(entry, block, %claimed, %derived, "sequencer posted a wrong state root");
        self.first_divergence = Some(divergence);
        self.pinned = self.replay(block);
    }
}
