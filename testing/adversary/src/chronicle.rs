use alloy_primitives::B256;
use turnpike_derivation::Derivation;
use turnpike_executor::Chain;
use turnpike_game::{
    Trace,
    prove::{BlockPosition, InboxData, PROGRAM, run_native, witness},
};
use turnpike_l1::{EntrySource, L1Error, L1Source, L1View, PostedEntry};
use turnpike_protocol::{BlockInput, EntryData, Genesis, Parent};

use crate::{FalseCredit, LiarError, Roots};

/// All that L1 holds of a chain, in memory, so that any block can be looked at from any state.
#[derive(Clone, Debug)]
pub struct Chronicle {
    genesis: Genesis,
    genesis_hash: B256,
    /// By index.
    entries: Vec<PostedEntry>,
    /// Entry 1 first.
    sources: Vec<EntrySource>,
}

/// A chain that stands before a block, and what L1 says of the block.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    pub(crate) chronicle: &'a Chronicle,
    pub(crate) at: BlockPosition,
    pub(crate) chain: Chain,
    pub(crate) input: BlockInput,
}

impl Chronicle {
    /// What a view has read.
    pub async fn read<S: L1Source>(genesis: &Genesis, view: &L1View<S>) -> Result<Self, L1Error> {
        let mut chronicle = Self {
            genesis: genesis.clone(),
            genesis_hash: Chain::from_genesis(genesis).head().hash(),
            entries: view.entries().to_vec(),
            sources: Vec::new(),
        };
        for index in 1..chronicle.entries.len() as u64 {
            let missing = || L1Error::NotYet(format!("entry {index} was not served"));
            let source = view.source(index).await?.ok_or_else(missing)?;
            chronicle.sources.push(source);
        }
        Ok(chronicle)
    }

    /// Whether a view has read all this.
    pub fn is_part_of<S: L1Source>(&self, view: &L1View<S>) -> bool {
        let newest = self.entries.last().map(|entry| entry.acc);
        let at = self.entries.len().saturating_sub(1);
        newest == view.entries().get(at).map(|entry| entry.acc)
    }

    /// The chain's rules and its beginning.
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

    /// What L1 holds of an entry.
    pub(crate) fn source(&self, entry: u64) -> Option<EntryData<'_>> {
        let at = usize::try_from(entry.checked_sub(1)?).ok()?;
        self.sources.get(at).map(EntrySource::as_data)
    }

    /// The inbox as a witness is made from it, with an entry in place of the one in question.
    pub(crate) const fn inbox<'a>(
        &self,
        entries: &'a [PostedEntry],
        source: &'a EntryData<'a>,
    ) -> InboxData<'a> {
        InboxData { genesis_hash: self.genesis_hash, entries, source }
    }

    /// What is true.
    pub fn roots(&self) -> Result<Roots, LiarError> {
        self.roots_with(None)
    }

    /// What a chain comes to whose state is falsified in the first block with a transaction.
    pub fn falsified_roots(&self) -> Result<Roots, LiarError> {
        self.roots_with(Some(FalseCredit::default()))
    }

    fn roots_with(&self, mut false_credit: Option<FalseCredit>) -> Result<Roots, LiarError> {
        let mut chain = Chain::from_genesis(&self.genesis);
        let mut derivation = self.derivation();
        let mut roots = vec![vec![chain.head().output.hash()]];
        for (posted, source) in self.entries.iter().skip(1).zip(&self.sources) {
            let mut blocks = Vec::new();
            for input in derivation.derive(posted, source)?.blocks {
                let mut executed = chain.run(&input)?;
                if let Some(false_credit) = &mut false_credit {
                    false_credit.apply(&mut executed);
                }
                blocks.push(chain.seal(executed, &input.origin).output.hash());
            }
            roots.push(blocks);
        }
        Ok(Roots::new(roots))
    }

    fn derivation(&self) -> Derivation {
        let parent = Parent { number: 0, timestamp: self.genesis.timestamp, origin: None };
        Derivation::new(self.genesis.config.clone(), parent)
    }

    /// The chain that begins with `genesis`, before a block. `None` for a block that there is none of.
    pub(crate) fn before(
        &self,
        genesis: &Genesis,
        at: BlockPosition,
    ) -> Result<Option<Block<'_>>, LiarError> {
        let mut chain = Chain::from_genesis(genesis);
        let mut derivation = self.derivation();
        for (posted, source) in self.entries.iter().skip(1).zip(&self.sources) {
            for (index, input) in (0..).zip(derivation.derive(posted, source)?.blocks) {
                if (posted.entry.index, index) == (at.entry, at.index) {
                    return Ok(Some(Block { chronicle: self, at, chain, input }));
                }
                chain.execute(&input)?;
            }
        }
        Ok(None)
    }

    /// The honest run of a block that L1 holds.
    pub fn trace(&self, at: BlockPosition) -> Result<Option<Trace>, LiarError> {
        let Some(block) = self.before(&self.genesis, at)? else { return Ok(None) };
        let source = block.source();
        let inbox = self.inbox(&self.entries, &source);
        let all = witness(&block.chain, &inbox, at.index, Some(&block.input))?;
        Ok(Some(Trace::new(PROGRAM, run_native(&all).read)?))
    }
}

impl Block<'_> {
    /// What L1 holds of its entry.
    pub(crate) fn source(&self) -> EntryData<'_> {
        let source = self.chronicle.source(self.at.entry);
        source.expect("invariant: the block was derived from it")
    }
}
