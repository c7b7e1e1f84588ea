use std::convert::Infallible;

use tracing::{info, warn};
use turnpike_executor::{
    BlockOutcome, Chain, ChainHead, Engine, EngineConfig, ExecutionError, ExecutionHook,
};
use turnpike_l1::PostedEntry;
use turnpike_protocol::{BlockInput, EntryData, Genesis, Header, OutputRoot, StateRootPrefix};
use turnpike_state::HistoryLimits;

use crate::{Derivation, DerivationError, DerivedEntry};

/// States that a follower keeps: how far it can go back without deriving everything anew.
pub const STATES: HistoryLimits = HistoryLimits { blocks_max: 50_000, items_max: 500_000 };

/// The chain as L1 gives it, executed: every entry that is fed is derived and run, and can be taken back.
///
/// Inputs: the genesis file, and inbox entries with what their accumulators authenticate. No I/O, no clock.
///
/// Invariant: state and head are those after the last fed entry; a way through other entries and back leaves no trace.
#[derive(Debug)]
pub struct Follower {
    genesis: Genesis,
    execution: EngineConfig,
    limits: HistoryLimits,
    chain: Chain,
    derivation: Derivation,
    /// By index; entry 0 is the genesis block's.
    outputs: Vec<EntryOutput>,
    hook: Option<Box<dyn ExecutionHook>>,
}

/// What the chain came to after an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryOutput {
    /// The output root's preimage.
    pub output: OutputRoot,
    /// Header of the entry's last block.
    pub header: Header,
}

/// A block that was executed, as a follower shows it.
#[derive(Debug)]
pub struct FollowedBlock<'a> {
    /// The chain, after the block.
    pub chain: &'a Chain,
    /// What went into the block.
    pub input: BlockInput,
    /// What came out.
    pub outcome: BlockOutcome,
    /// Beginning of the state root that the sequencer claims for it, if it made a claim.
    pub claimed: Option<StateRootPrefix>,
}

impl Follower {
    /// A follower that knows the genesis block, and keeps [`STATES`].
    pub fn new(genesis: &Genesis, execution: EngineConfig) -> Self {
        Self::new_with(genesis, execution, STATES)
    }

    /// A follower that knows the genesis block, with a choice of how many states it keeps.
    pub fn new_with(genesis: &Genesis, execution: EngineConfig, limits: HistoryLimits) -> Self {
        let mut chain = Chain::from_genesis_with(genesis, limits);
        chain.set_engine(Engine::new(execution));
        let head = chain.head();
        let outputs = vec![EntryOutput { output: head.output, header: head.header.clone() }];
        let derivation = Derivation::new(genesis.config.clone(), head.parent);
        Self { genesis: genesis.clone(), execution, limits, chain, derivation, outputs, hook: None }
    }

    /// The same follower with a hook that may change every block before its state root is computed. It makes a dishonest
    /// node; the hook stays when the follower derives the chain from its beginning.
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

    /// Which blocks each entry derived.
    pub const fn derivation(&self) -> &Derivation {
        &self.derivation
    }

    /// Index of the entry that comes next; the inbox's own entry 0 has no blocks and is not fed.
    pub const fn next_entry(&self) -> u64 {
        self.derivation.next_entry()
    }

    /// What the chain came to after entry `index`; after the genesis block for entry 0.
    pub fn output(&self, index: u64) -> Option<&EntryOutput> {
        self.outputs.get(usize::try_from(index).ok()?)
    }

    /// Derives and executes the next entry. After an error nothing has changed.
    pub fn apply(
        &mut self,
        posted: &PostedEntry,
        data: &EntryData<'_>,
    ) -> Result<&DerivedEntry, DerivationError> {
        self.apply_with(posted, data, |_| ())
    }

    /// Derives and executes the next entry, and shows its blocks one by one. After an error nothing has changed, though
    /// blocks may have been shown.
    pub fn apply_with(
        &mut self,
        posted: &PostedEntry,
        data: &EntryData<'_>,
        mut show: impl FnMut(FollowedBlock<'_>),
    ) -> Result<&DerivedEntry, DerivationError> {
        let entry = data.entry.index;
        let derived = self.derivation.derive_data(posted, data)?;
        if let Some(fault) = &derived.fault {
            warn!(entry, %fault, "bad batch: passed over");
        }
        let mut claims = derived.claimed_state_roots.into_iter();
        for input in derived.blocks {
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
        Ok(self.derivation.entry(entry).expect("invariant: just derived"))
    }

    fn execute(&mut self, input: &BlockInput) -> Result<BlockOutcome, ExecutionError<Infallible>> {
        let mut executed = self.chain.run(input)?;
        if let Some(hook) = &mut self.hook {
            hook.before_state_root(&mut executed);
        }
        Ok(self.chain.seal(executed, &input.origin))
    }

    /// Forgets entry `next` and all after it: state and head are what they were. If that is further back than states are
    /// kept, everything is forgotten and has to be fed again: see [`Self::next_entry`].
    pub fn rewind(&mut self, next: u64) {
        if next >= self.next_entry() {
            return;
        }
        self.derivation.rewind(next);
        let block = self.derivation.head().number;
        if !self.chain.rewind(block) {
            info!(block, "too far back to be undone: deriving the chain from its beginning");
            let hook = self.hook.take();
            *self = Self::new_with(&self.genesis, self.execution, self.limits).with_hook(hook);
        }
        self.outputs.truncate(self.derivation.entries().len() + 1);
    }

    /// Forgets what is not among `entries`, those of L1 by index.
    pub fn rewind_to_common(&mut self, entries: &[PostedEntry]) {
        self.rewind(self.derivation.common(entries));
    }
}
