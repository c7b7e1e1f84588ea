//! What the chain is by L1 alone, and what that makes of outputs.

mod confirm;
mod judge;
mod prove;

use std::sync::Arc;

use alloy_primitives::B256;
pub use confirm::EngineFault;
use confirm::Recheck;
use serde::Serialize;
use tracing::warn;
use turnpike_derivation::{DerivationError, FollowedBlock, Follower};
use turnpike_executor::{EngineConfig, Mode};
use turnpike_l1::PostedEntry;
use turnpike_protocol::{
    BatchFault, EntryData, Genesis, Header, OutputRoot, StateRootPrefix, state_root_prefix,
};
use turnpike_state::FlatState;

use crate::{Divergence, Replay, history, history::History};

/// Derives and executes the chain, entry by entry, and judges outputs by it.
///
/// Inputs: the genesis file, and inbox entries with what their accumulators authenticate. Output: a [`Verdict`] on any
/// proposed output. No I/O, no clock; what the sequencer says of its own blocks is used to explain, never to decide.
#[derive(Debug)]
pub struct Verifier {
    follower: Follower,
    /// By index; entry 0 is the genesis block's.
    entries: Vec<DerivedEntry>,
    /// By number; block 0 is the genesis block.
    blocks: Vec<DerivedBlock>,
    history: History,
    first_divergence: Option<BatchDivergence>,
    /// The block of `first_divergence`: kept for as long as it takes until an output stands on it.
    pinned: Option<Arc<Replay>>,
    /// How blocks run, unless the sequential engine has to confirm what came of them.
    mode: Mode,
    recheck: Recheck,
}

/// What an entry came to.
#[derive(Clone, Debug)]
pub struct DerivedEntry {
    /// Its last block.
    pub last_block: u64,
    /// The output root's preimage after it.
    pub output: OutputRoot,
    /// Header of its last block.
    pub header: Header,
    /// Where the state roots posted with its batch first differ from the derived ones.
    pub first_divergence: Option<BatchDivergence>,
    /// Beginning of the state root posted for its last block, if any.
    pub claimed_state_root: Option<StateRootPrefix>,
    /// Why its batch was passed over.
    pub fault: Option<BatchFault>,
    /// Whether the sequential engine, the oracle, has run its blocks, now or before.
    pub is_confirmed: bool,
}

/// What is kept of every block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerivedBlock {
    /// Its hash.
    pub hash: B256,
    /// State root after it.
    pub state_root: B256,
    /// Output root after it.
    pub output_root: B256,
}

/// A block for which the sequencer posted a state root that its transactions do not lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchDivergence {
    /// Entry that holds the batch.
    pub entry: u64,
    /// The block.
    pub block: u64,
    /// Beginning of the state root that was posted.
    pub claimed: StateRootPrefix,
    /// State root that derivation gives.
    pub derived: B256,
}

/// What a proposed output is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "verdict")]
pub enum Verdict {
    /// Its entry is not derived yet. Nothing may be done about it.
    Unknown,
    /// It is what derivation gives.
    Ok,
    /// It is not.
    Wrong {
        /// How.
        divergence: Box<Divergence>,
    },
}

impl Verifier {
    /// A verifier that knows the genesis block.
    pub fn new(genesis: &Genesis) -> Self {
        Self::new_with(genesis, EngineConfig::default())
    }

    /// A verifier that knows the genesis block, with a choice of what runs blocks.
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
            recheck: Recheck::default(),
        }
    }

    /// Index of the entry that comes next; the inbox's own entry 0 has no blocks and is not fed.
    pub const fn next_entry(&self) -> u64 {
        self.follower.next_entry()
    }

    /// The output root's preimage after the genesis block.
    pub fn genesis_output(&self) -> OutputRoot {
        self.entries[0].output
    }

    /// What entry `index` came to, once it was fed.
    pub fn entry(&self, index: u64) -> Option<&DerivedEntry> {
        self.entries.get(usize::try_from(index).ok()?)
    }

    /// The derived block `number`.
    pub fn block(&self, number: u64) -> Option<&DerivedBlock> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    /// Number of the newest derived block.
    pub const fn head(&self) -> u64 {
        self.follower.head().header.number
    }

    /// The first block of the chain for which the sequencer posted a false state root.
    pub const fn first_divergence(&self) -> Option<&BatchDivergence> {
        self.first_divergence.as_ref()
    }

    /// The state after a block, while the blocks since are kept.
    pub fn state_after(&self, block: u64) -> Option<FlatState> {
        history::state_after(self.follower.chain(), block)
    }

    /// A block to be run again, while it is kept. That of [`Self::first_divergence`] is kept for good.
    pub fn replay(&self, block: u64) -> Option<Arc<Replay>> {
        match self.pinned.as_ref().filter(|pinned| pinned.number() == block) {
            Some(pinned) => Some(Arc::clone(pinned)),
            None => self.history.replay(self.follower.chain(), block).map(Arc::new),
        }
    }

    /// Derives and executes the next entry. After a [`DerivationError::Order`] or [`DerivationError::Derive`] the
    /// verifier is as it was.
    pub fn feed(
        &mut self,
        posted: &PostedEntry,
        source: &EntryData<'_>,
    ) -> Result<&DerivedEntry, DerivationError> {
        let entry = source.entry.index;
        let mode = self.recheck.mode_for(entry, self.mode);
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
        let fault = follower.apply_with(posted, source, show)?.fault.clone();
        let head = self.follower.head();
        let root = head.output.hash();
        let is_confirmed = self.recheck.is_confirmed(entry, posted.acc, root, mode);
        self.entries.push(DerivedEntry {
            last_block: head.header.number,
            output: head.output,
            header: head.header.clone(),
            first_divergence: divergences.first().copied(),
            claimed_state_root,
            fault,
            is_confirmed,
        });
        self.recheck.compare(entry, posted.acc, root);
        if let Some(divergence) = divergences.first() {
            self.note(*divergence);
        }
        Ok(self.entries.last().expect("invariant: just pushed"))
    }

    /// Forgets the entries that are not among `entries`, those of L1 by index. If they go too far back, all are
    /// forgotten.
    pub fn rewind_to_common(&mut self, entries: &[PostedEntry]) {
        self.follower.rewind_to_common(entries);
        self.forget();
    }

    /// Forgets entry `next` and all after it. If that is too far back, all are forgotten: see [`Self::next_entry`].
    pub fn rewind(&mut self, next: u64) {
        self.follower.rewind(next);
        self.forget();
    }

    /// Forgets what the follower has forgotten.
    fn forget(&mut self) {
        let head = self.head();
        self.entries.truncate(usize::try_from(self.next_entry()).unwrap_or(usize::MAX));
        self.blocks.truncate(usize::try_from(head + 1).unwrap_or(usize::MAX));
        self.history.truncate(head);
        self.first_divergence = self.first_divergence.filter(|it| it.block <= head);
        self.pinned = self.pinned.take().filter(|pinned| pinned.number() <= head);
    }

    /// Remembers the chain's first divergence, with all that it takes to explain it.
    fn note(&mut self, divergence: BatchDivergence) {
        if self.first_divergence.is_some() {
            return;
        }
        let BatchDivergence { entry, block, claimed, derived } = divergence;
        warn!(entry, block, %claimed, %derived, "the sequencer posted a false state root");
        self.first_divergence = Some(divergence);
        self.pinned = self.replay(block);
    }
}
