//! Executes derived blocks.
//!
//! # State
//!
//! The chain's state and head, the derived entries, and the output after each entry.
//!
//! # Recovery
//!
//! The follower stores nothing: a restart applies all entries again. A reorg rewinds to a kept
//! state.
//!
//! # Limits
//!
//! [`STATES`] bounds the kept states by blocks and by changed items. States after entries that
//! [`Follower::keep_states_after`] names are kept besides.

use std::{collections::BTreeSet, convert::Infallible};

use tracing::{info, warn};
use turnpike_executor::{
    BlockOutcome, Chain, ChainHead, Engine, EngineConfig, ExecutionError, ExecutionHook,
};
use turnpike_l1::PostedEntry;
use turnpike_protocol::{BlockInput, EntryData, Genesis, Header, OutputRoot, StateRootPrefix};
use turnpike_state::HistoryLimits;

use crate::{Derivation, DerivationError, DerivedEntry, RecoveredEntry};

/// Limits of the states that a follower keeps. A deeper rewind derives the chain again.
pub const STATES: HistoryLimits = HistoryLimits { blocks_max: 50_000, items_max: 500_000 };

/// The executed chain: derives and executes every applied entry, and rewinds entries.
///
/// Inputs: the genesis file, and inbox entries with their authenticated data, or with their blocks
/// derived and signers recovered. No I/O, no clock.
///
/// Invariant: state and head are those after the last applied entry, in every history of applied
/// and rewound entries.
#[derive(Debug)]
pub struct Follower {
    genesis: Genesis,
    execution: EngineConfig,
    limits: HistoryLimits,
    chain: Chain,
    derivation: Derivation,
    /// Outputs by entry index. Entry 0 has the genesis block's output.
    outputs: Vec<EntryOutput>,
    /// Entries whose states are kept, derived or not.
    kept: BTreeSet<u64>,
    hook: Option<Box<dyn ExecutionHook>>,
}

/// The chain's output after an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryOutput {
    /// The output root's preimage.
    pub output: OutputRoot,
    /// Header of the entry's last block.
    pub header: Header,
}

/// An executed block.
#[derive(Debug)]
pub struct FollowedBlock<'a> {
    /// The chain, after the block.
    pub chain: &'a Chain,
    /// The block's input.
    pub input: BlockInput,
    /// The block's outcome.
    pub outcome: BlockOutcome,
    /// The first bytes of the state root that the batch claims for it, if it claims one.
    pub claimed: Option<StateRootPrefix>,
}

impl Follower {
    /// A follower at the genesis block. It keeps states within [`STATES`].
    pub fn new(genesis: &Genesis, execution: EngineConfig) -> Self {
        Self::new_with(genesis, execution, STATES)
    }

    /// A follower at the genesis block, with other limits on the states it keeps.
    pub fn new_with(genesis: &Genesis, execution: EngineConfig, limits: HistoryLimits) -> Self {
        let mut chain = Chain::from_genesis_with(genesis, limits);
        chain.set_engine(Engine::new(execution));
        let head = chain.head();
        let outputs = vec![EntryOutput { output: head.output, header: head.header.clone() }];
        let derivation = Derivation::new(genesis.config.clone(), head.parent);
        Self {
            genesis: genesis.clone(),
            execution,
            limits,
            chain,
            derivation,
            outputs,
            kept: BTreeSet::new(),
            hook: None,
        }
    }

    /// Keeps the states after these entries, 0 for the genesis block, until the next call. One that
    /// was passed long ago cannot be kept any more.
    pub fn keep_states_after(&mut self, entries: BTreeSet<u64>) {
        if self.kept != entries {
            self.kept = entries;
            self.pin_states();
        }
    }

    fn pin_states(&mut self) {
        let block_after = |entry: &u64| match entry {
            0 => Some(0),
            _ => self.derivation.entry(*entry).map(|derived| derived.last.number),
        };
        let blocks = self.kept.iter().filter_map(block_after).collect();
        self.chain.pin_states(blocks);
    }

    /// Sets a hook that may change every block before its state root is computed, for a dishonest
    /// node. The hook stays when the follower derives the chain from genesis again.
    #[must_use]
    pub fn with_hook(self, hook: Option<Box<dyn ExecutionHook>>) -> Self {
        Self { hook, ..self }
    }

    /// The executed chain.
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The newest block: the safe head.
    pub const fn head(&self) -> &ChainHead {
        self.chain.head()
    }

    /// The derived entries.
    pub const fn derivation(&self) -> &Derivation {
        &self.derivation
    }

    /// Index of the next entry. Entry 0, which the inbox writes itself, has no blocks and is never
    /// applied.
    pub const fn next_entry(&self) -> u64 {
        self.derivation.next_entry()
    }

    /// The output after entry `index`; for entry 0, after the genesis block.
    pub fn output(&self, index: u64) -> Option<&EntryOutput> {
        self.outputs.get(usize::try_from(index).ok()?)
    }

    /// Derives and executes the next entry. After an error, nothing has changed.
    pub fn apply(
        &mut self,
        posted: &PostedEntry,
        data: &EntryData<'_>,
    ) -> Result<&DerivedEntry, DerivationError> {
        self.apply_with(posted, data, |_| ())
    }

    /// Like [`Self::apply`], and calls `show` after each block. After an error, nothing has
    /// changed, but `show` may have been called.
    pub fn apply_with(
        &mut self,
        posted: &PostedEntry,
        data: &EntryData<'_>,
        show: impl FnMut(FollowedBlock<'_>),
    ) -> Result<&DerivedEntry, DerivationError> {
        let recovered = self.derivation.recover(posted, data)?;
        self.apply_recovered(recovered, show)
    }

    /// Like [`Self::apply_with`], of an entry whose signers were recovered.
    pub fn apply_recovered(
        &mut self,
        recovered: RecoveredEntry,
        mut show: impl FnMut(FollowedBlock<'_>),
    ) -> Result<&DerivedEntry, DerivationError> {
        self.derivation.accept(&recovered)?;
        let entry = recovered.posted.entry.index;
        if let Some(fault) = &recovered.fault {
            warn!(entry, %fault, "skipping invalid batch");
        }
        let mut claims = recovered.claimed_state_roots.into_iter();
        for input in recovered.blocks {
            let block = input.number;
            let outcome = match self.execute(&input) {
                Ok(outcome) => outcome,
                Err(error) => {
                    self.rewind(entry);
                    return Err(DerivationError::Execution { block, error });
                }
            };
            show(FollowedBlock {
                chain: &self.chain,
                input,
                outcome,
                claimed: claims.next().flatten(),
            });
        }
        let head = self.chain.head();
        self.outputs.push(EntryOutput { output: head.output, header: head.header.clone() });
        if self.kept.contains(&entry) {
            self.pin_states();
        }
        Ok(self.derivation.entry(entry).expect("invariant: just derived"))
    }

    fn execute(&mut self, input: &BlockInput) -> Result<BlockOutcome, ExecutionError<Infallible>> {
        let mut executed = self.chain.run(input)?;
        if let Some(hook) = &mut self.hook {
            hook.before_state_root(&mut executed);
        }
        Ok(self.chain.seal(executed, &input.origin))
    }

    /// Rewinds entry `next` and all later ones. If the state before them is no longer kept, rewinds
    /// to an older one, or the genesis block, and the caller must apply entries from
    /// [`Self::next_entry`] on.
    pub fn rewind(&mut self, next: u64) {
        if next >= self.next_entry() {
            return;
        }
        if let Some(kept) = self.kept_entry(next) {
            if kept < next {
                info!(
                    entry = kept,
                    "state to rewind to is no longer kept: deriving from an older one"
                );
            }
            self.derivation.rewind(kept);
            let is_rewound = self.chain.rewind(self.derivation.head().number);
            assert!(is_rewound, "invariant: the state is kept");
            self.outputs.truncate(self.derivation.entries().len() + 1);
        } else {
            info!(entry = next, "state to rewind to is no longer kept: deriving from genesis");
            let (hook, kept) = (self.hook.take(), std::mem::take(&mut self.kept));
            *self = Self::new_with(&self.genesis, self.execution, self.limits).with_hook(hook);
            self.keep_states_after(kept);
        }
    }

    /// The newest entry, `next` or an earlier one, before which the state is kept.
    fn kept_entry(&self, next: u64) -> Option<u64> {
        let derived = self.derivation.entry(next);
        let head = self.derivation.head().number;
        let block = derived.map_or(head, |it| it.first_block - 1);
        let kept = self.chain.kept_before(block)?;
        if kept == block {
            return Some(next);
        }
        // An older state is kept after an entry, or after the genesis block.
        let entry = self.derivation.entry_of_block(kept);
        Some(entry.map_or(1, |entry| entry.posted.entry.index + 1))
    }

    /// A follower of its own, without a hook, whose next entry is `next` or an earlier one: if the
    /// state before `next` is no longer kept, it starts at an older one, or at the genesis block. It
    /// keeps states within `limits`.
    #[must_use]
    pub fn copy_before(&self, next: u64, limits: HistoryLimits) -> Self {
        let mut derivation = self.derivation.clone();
        let copy = self.kept_entry(next).and_then(|kept| {
            derivation.rewind(kept);
            self.chain.copy_at(derivation.head().number, limits)
        });
        let Some(mut chain) = copy else {
            return Self::new_with(&self.genesis, self.execution, limits);
        };
        chain.set_engine(Engine::new(self.execution));
        let outputs = self.outputs[..=derivation.entries().len()].to_vec();
        Self {
            genesis: self.genesis.clone(),
            execution: self.execution,
            limits,
            chain,
            derivation,
            outputs,
            kept: BTreeSet::new(),
            hook: None,
        }
    }

    /// Rewinds every entry that is not among `entries`, which are L1's entries by index.
    pub fn rewind_to_common(&mut self, entries: &[PostedEntry]) {
        self.rewind(self.derivation.common(entries));
    }
}
