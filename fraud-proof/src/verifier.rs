use std::{collections::BTreeSet, sync::Arc};

use alloy_primitives::{Address, B256};
use serde::Serialize;
use tracing::warn;
use turnpike_derivation::{DerivationError, FollowedBlock, Follower};
use turnpike_executor::EngineConfig;
use turnpike_l1::{PostedEntry, ProposedOutput};
use turnpike_protocol::{
    BatchFault, EntryData, Genesis, Header, OutputRoot, StateRootPrefix, state_root_prefix,
};
use turnpike_state::FlatState;

use crate::{
    Divergence, Evidence, FirstBlock, Replay, difference::compare, history, history::History,
};

/// Touched accounts that a report holds.
const TOUCHED_MAX: usize = 256;

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
}

/// What is kept of every block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerivedBlock {
    /// Its hash.
    pub hash: B256,
    /// State root after it.
    pub state_root: B256,
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
        };
        let block = DerivedBlock { hash: head.hash(), state_root: head.output.state_root };
        Self {
            follower,
            entries: vec![entry],
            blocks: vec![block],
            history: History::default(),
            first_divergence: None,
            pinned: None,
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
        let mut divergences = Vec::new();
        let mut claimed_state_root = None;
        let Self { follower, history, blocks, .. } = self;
        let show = |FollowedBlock { chain, input, outcome, claimed }: FollowedBlock<'_>| {
            let (block, derived) = (input.number, outcome.output.state_root);
            history.push(chain, input);
            blocks.push(DerivedBlock { hash: outcome.hash(), state_root: derived });
            claimed_state_root = claimed;
            let is_other = |claimed: &StateRootPrefix| *claimed != state_root_prefix(&derived);
            if let Some(claimed) = claimed.filter(is_other) {
                divergences.push(BatchDivergence { entry, block, claimed, derived });
            }
        };
        let fault = follower.feed_with(posted, source, show)?.fault.clone();
        let head = self.follower.head();
        self.entries.push(DerivedEntry {
            last_block: head.header.number,
            output: head.output,
            header: head.header.clone(),
            first_divergence: divergences.first().copied(),
            claimed_state_root,
            fault,
        });
        if let Some(divergence) = divergences.first() {
            self.note(*divergence);
        }
        Ok(self.entries.last().expect("invariant: just pushed"))
    }

    /// Forgets the entries that are not among `entries`, those of L1 by index. If they go too far back, all are
    /// forgotten.
    pub fn rewind_to_common(&mut self, entries: &[PostedEntry]) {
        self.follower.rewind_to_common(entries);
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

    /// Judges `output`. `outputs` are all of them, by index: they say what it stands on.
    pub fn judge(&self, output: &ProposedOutput, outputs: &[ProposedOutput]) -> Verdict {
        let Some(derived) = self.entry(output.entry) else { return Verdict::Unknown };
        if self.is_genesis(output) {
            return Verdict::Ok;
        }
        let differences = compare(output, &derived.output, &derived.header);
        if differences.is_empty() {
            return Verdict::Ok;
        }
        let true_block = self.true_block(output, outputs);
        let first_block = self.first_block(output, derived, true_block);
        let in_header = differences.iter().filter(|it| it.part.starts_with("header"));
        let state_only = in_header.map(|it| it.part.as_str()).eq(["header.stateRoot"]);
        let divergence = Divergence {
            output: output.index,
            entry: output.entry,
            claimed_block: output.l2_block,
            derived_block: derived.last_block,
            true_block,
            claimed_root: output.output.hash(),
            derived_root: derived.output.hash(),
            claimed_hash: output.output.block_hash,
            differences,
            state_only,
            first_block,
            touched: first_block.exact().map(|block| self.touched(block)).unwrap_or_default(),
            findings: None,
        };
        Verdict::Wrong { divergence: Box::new(divergence) }
    }

    /// The genesis output has no header: the contract was deployed with its root.
    fn is_genesis(&self, output: &ProposedOutput) -> bool {
        output.index == 0 && output.entry == 0 && output.output == self.genesis_output()
    }

    /// Last block of the nearest output below `output` that is right.
    fn true_block(&self, output: &ProposedOutput, outputs: &[ProposedOutput]) -> u64 {
        let mut below = output;
        loop {
            let parent = usize::try_from(below.parent).ok().and_then(|at| outputs.get(at));
            // A parent is always older, so this ends.
            let Some(parent) = parent.filter(|parent| parent.index < below.index) else { return 0 };
            match self.entry(parent.entry) {
                Some(derived) if derived.output == parent.output => return derived.last_block,
                _ => below = parent,
            }
        }
    }

    fn first_block(
        &self,
        output: &ProposedOutput,
        derived: &DerivedEntry,
        true_block: u64,
    ) -> FirstBlock {
        let (first, last) = (true_block + 1, derived.last_block);
        // The posted roots speak for the claimed chain only if the claim is the one they end with.
        if derived.claimed_state_root == Some(state_root_prefix(&output.output.state_root)) {
            let entries = self.entries.iter().take(usize::try_from(output.entry).unwrap_or(0) + 1);
            let noted = entries
                .skip_while(|entry| entry.last_block <= true_block)
                .find_map(|entry| entry.first_divergence.filter(|it| it.block > true_block));
            if let Some(BatchDivergence { block, .. }) = noted {
                return FirstBlock::Exact { block, evidence: Evidence::Batch };
            }
        }
        if first >= last {
            FirstBlock::Exact { block: last, evidence: Evidence::OnlyBlock }
        } else {
            FirstBlock::Range { first, last }
        }
    }

    /// Accounts that a block changes, while it is kept; the first of them, if they are many.
    fn touched(&self, block: u64) -> Vec<Address> {
        let keys = self.replay(block).and_then(|replay| replay.changed_keys().ok());
        let keys = keys.unwrap_or_default();
        let addresses: BTreeSet<Address> = keys.into_iter().map(|key| key.address).collect();
        addresses.into_iter().take(TOUCHED_MAX).collect()
    }
}
