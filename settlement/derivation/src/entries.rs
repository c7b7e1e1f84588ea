use turnpike_l1::{EntrySource, PostedEntry};
use turnpike_protocol::{BatchFault, BlockInput, ChainConfig, Derived, EntryData, Parent, derive};

use crate::DerivationError;

/// Which blocks each inbox entry derives.
#[derive(Clone, Debug)]
pub struct Derivation {
    config: ChainConfig,
    genesis: Parent,
    /// Entry 1 first: the inbox's own entry 0 derives nothing.
    entries: Vec<DerivedEntry>,
}

/// What an entry came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedEntry {
    /// The entry on L1.
    pub posted: PostedEntry,
    /// Its first block.
    pub first_block: u64,
    /// Its last block, as the next one sees it.
    pub last: Parent,
    /// Why its batch was passed over.
    pub fault: Option<BatchFault>,
}

impl Derivation {
    /// A chain of its genesis block alone.
    pub const fn new(config: ChainConfig, genesis: Parent) -> Self {
        Self { config, genesis, entries: Vec::new() }
    }

    /// Index of the entry that comes next.
    pub const fn next_entry(&self) -> u64 {
        self.entries.len() as u64 + 1
    }

    /// The last block, as the next one sees it.
    pub fn head(&self) -> Parent {
        self.entries.last().map_or(self.genesis, |entry| entry.last)
    }

    /// The derived entries; entry 1 first.
    pub fn entries(&self) -> &[DerivedEntry] {
        &self.entries
    }

    /// A derived entry, by its index.
    pub fn entry(&self, index: u64) -> Option<&DerivedEntry> {
        self.entries.get(usize::try_from(index.checked_sub(1)?).ok()?)
    }

    /// The entry that derives block `number`.
    pub fn entry_of_block(&self, number: u64) -> Option<&DerivedEntry> {
        let at = self.entries.partition_point(|entry| entry.last.number < number);
        self.entries.get(at).filter(|entry| entry.first_block <= number)
    }

    /// What the next entry would derive.
    pub fn preview(&self, source: &EntrySource) -> Result<Derived, DerivationError> {
        self.preview_data(&source.as_data())
    }

    /// What the next entry would derive, from data that is borrowed.
    pub fn preview_data(&self, data: &EntryData<'_>) -> Result<Derived, DerivationError> {
        let (expected, found) = (self.next_entry(), data.entry.index);
        if expected != found {
            return Err(DerivationError::Order { expected, found });
        }
        Ok(derive(&self.config, self.head(), data)?)
    }

    /// Derives the next entry. After an error nothing has changed.
    pub fn derive(
        &mut self,
        posted: &PostedEntry,
        source: &EntrySource,
    ) -> Result<Derived, DerivationError> {
        self.derive_data(posted, &source.as_data())
    }

    /// Derives the next entry from data that is borrowed. After an error nothing has changed.
    pub fn derive_data(
        &mut self,
        posted: &PostedEntry,
        data: &EntryData<'_>,
    ) -> Result<Derived, DerivationError> {
        let derived = self.preview_data(data)?;
        let first_block = self.head().number + 1;
        let last = derived.blocks.last().map_or_else(|| self.head(), BlockInput::as_parent);
        let fault = derived.fault.clone();
        self.entries.push(DerivedEntry { posted: *posted, first_block, last, fault });
        Ok(derived)
    }

    /// Takes over what the next entry was seen to derive before. It is the caller who knows that it was that very entry,
    /// after the same entries: its accumulator says so.
    pub fn resume(&mut self, entry: DerivedEntry) -> Result<(), DerivationError> {
        let (expected, found) = (self.next_entry(), entry.posted.entry.index);
        if expected != found {
            return Err(DerivationError::Order { expected, found });
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Index of the first entry that is not among `entries`, those of L1 by index: what was derived before it holds on L1.
    pub fn common(&self, entries: &[PostedEntry]) -> u64 {
        let is_there = |derived: &DerivedEntry| {
            let at = usize::try_from(derived.posted.entry.index).ok();
            at.and_then(|at| entries.get(at)).is_some_and(|posted| posted.acc == derived.posted.acc)
        };
        // An accumulator stands for all entries up to its own.
        self.entries.partition_point(is_there) as u64 + 1
    }

    /// Number of the last block of the newest entry in an L1 block up to `l1_block`; 0 is the genesis block.
    pub fn last_block_within(&self, l1_block: u64) -> u64 {
        let within = |derived: &DerivedEntry| derived.posted.entry.l1_block_number <= l1_block;
        let count = self.entries.partition_point(within);
        count.checked_sub(1).map_or(self.genesis.number, |newest| self.entries[newest].last.number)
    }

    /// Forgets entry `next` and all after it.
    pub fn rewind(&mut self, next: u64) {
        let kept = usize::try_from(next.saturating_sub(1)).unwrap_or(usize::MAX);
        self.entries.truncate(kept);
    }
}
