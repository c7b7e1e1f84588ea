use alloy_primitives::B256;
use turnpike_derivation::Derivation;
use turnpike_executor::Chain;
use turnpike_game::{
    Trace,
    prove::{BlockPosition, InboxData, PROGRAM, run_native, witness},
};
use turnpike_l1::{EntrySource, L1Error, L1Source, L1View, PostedEntry};
use turnpike_protocol::{BlockInput, EntryData, Genesis, Parent};
use turnpike_signers::recover_blocks;

use crate::{AdversaryError, FalseCredit, OutputRoots};

/// All inbox entries of a chain with their data, in memory. Any block can be executed from it, on
/// any state.
#[derive(Clone, Debug)]
pub struct InboxCopy {
    genesis: Genesis,
    genesis_hash: B256,
    /// Entries, by index.
    entries: Vec<PostedEntry>,
    /// Data of the entries, from entry 1 on.
    sources: Vec<EntrySource>,
}

/// A block under attack: its true input, and a chain whose head is the block before it.
#[derive(Debug)]
pub(crate) struct TargetBlock<'a> {
    pub(crate) inbox: &'a InboxCopy,
    pub(crate) at: BlockPosition,
    pub(crate) chain: Chain,
    pub(crate) input: BlockInput,
}

impl InboxCopy {
    /// Copies the entries that a view has read.
    pub async fn read<S: L1Source>(genesis: &Genesis, view: &L1View<S>) -> Result<Self, L1Error> {
        let mut inbox = Self {
            genesis: genesis.clone(),
            genesis_hash: Chain::from_genesis(genesis).head().hash(),
            entries: view.entries().to_vec(),
            sources: Vec::new(),
        };
        for index in 1..inbox.entries.len() as u64 {
            let missing = || L1Error::NotYet(format!("entry {index} was not served"));
            let source = view.source(index).await?.ok_or_else(missing)?;
            inbox.sources.push(source);
        }
        Ok(inbox)
    }

    /// Whether the view holds all these entries.
    pub fn is_part_of<S: L1Source>(&self, view: &L1View<S>) -> bool {
        let newest = self.entries.last().map(|entry| entry.acc);
        let at = self.entries.len().saturating_sub(1);
        newest == view.entries().get(at).map(|entry| entry.acc)
    }

    /// The chain's genesis.
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Index of the newest entry.
    pub const fn newest(&self) -> u64 {
        self.sources.len() as u64
    }

    /// The inbox's entries.
    pub(crate) fn entries(&self) -> &[PostedEntry] {
        &self.entries
    }

    /// The data of an entry.
    pub(crate) fn source(&self, entry: u64) -> Option<EntryData<'_>> {
        let at = usize::try_from(entry.checked_sub(1)?).ok()?;
        self.sources.get(at).map(EntrySource::as_data)
    }

    /// The inbox as the witness needs it, with `entries` and `source` in place of the true ones.
    pub(crate) const fn witness_inbox<'a>(
        &self,
        entries: &'a [PostedEntry],
        source: &'a EntryData<'a>,
    ) -> InboxData<'a> {
        InboxData { genesis_hash: self.genesis_hash, entries, source }
    }

    /// The true output roots.
    pub fn roots(&self) -> Result<OutputRoots, AdversaryError> {
        self.roots_with(None)
    }

    /// The output roots of a chain with a [`FalseCredit`].
    pub fn false_roots(&self) -> Result<OutputRoots, AdversaryError> {
        self.roots_with(Some(FalseCredit::default()))
    }

    fn roots_with(
        &self,
        mut false_credit: Option<FalseCredit>,
    ) -> Result<OutputRoots, AdversaryError> {
        let mut chain = Chain::from_genesis(&self.genesis);
        let mut derivation = self.derivation();
        let mut roots = vec![vec![chain.head().output.hash()]];
        for (posted, source) in self.entries.iter().skip(1).zip(&self.sources) {
            let mut blocks = Vec::new();
            for input in recover_blocks(derivation.derive(posted, source)?.blocks) {
                let mut executed = chain.run(&input)?;
                if let Some(false_credit) = &mut false_credit {
                    false_credit.apply(&mut executed);
                }
                blocks.push(chain.seal(executed, &input.origin).output.hash());
            }
            roots.push(blocks);
        }
        Ok(OutputRoots::new(roots))
    }

    fn derivation(&self) -> Derivation {
        let parent = Parent { number: 0, time_ms: self.genesis.timestamp_ms(), origin: None };
        Derivation::new(self.genesis.config.clone(), parent)
    }

    /// A block, with the chain from `genesis` up to the block before it. `None` if there is no such
    /// block.
    pub(crate) fn target(
        &self,
        genesis: &Genesis,
        at: BlockPosition,
    ) -> Result<Option<TargetBlock<'_>>, AdversaryError> {
        let mut chain = Chain::from_genesis(genesis);
        let mut derivation = self.derivation();
        for (posted, source) in self.entries.iter().skip(1).zip(&self.sources) {
            for (index, input) in
                (0..).zip(recover_blocks(derivation.derive(posted, source)?.blocks))
            {
                if (posted.entry.index, index) == (at.entry, at.index) {
                    return Ok(Some(TargetBlock { inbox: self, at, chain, input }));
                }
                chain.execute(&input)?;
            }
        }
        Ok(None)
    }

    /// The honest run of a block. `None` if there is no such block.
    pub fn trace(&self, at: BlockPosition) -> Result<Option<Trace>, AdversaryError> {
        let Some(block) = self.target(&self.genesis, at)? else { return Ok(None) };
        let source = block.source();
        let inbox = self.witness_inbox(&self.entries, &source);
        let all = witness(&block.chain, &inbox, at.index, Some(&block.input))?;
        Ok(Some(Trace::new(PROGRAM, run_native(&all).read)?))
    }
}

impl TargetBlock<'_> {
    /// The data of its entry.
    pub(crate) fn source(&self) -> EntryData<'_> {
        let source = self.inbox.source(self.at.entry);
        source.expect("invariant: the block was derived from its entry")
    }
}
