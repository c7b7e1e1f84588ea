use turnpike_l1::{EntrySource, PostedEntry};
use turnpike_protocol::{BatchFault, BlockInput, ChainConfig, Derived, EntryData, Parent, derive};

use crate::DerivationError;

/// Computes which blocks each inbox entry derives.
///
/// It keeps the derived entries and the last block's number, time and origin. It keeps neither
/// state nor transactions.
///
/// ```
/// use turnpike_derivation::Derivation;
/// use turnpike_protocol::{Genesis, Parent};
///
/// let genesis = Genesis::dev();
/// let parent = Parent { number: 0, timestamp: genesis.timestamp, origin: None };
/// let derivation = Derivation::new(genesis.config, parent);
/// // The inbox writes entry 0 itself, so the first entry to derive is 1.
/// assert_eq!(derivation.next_entry(), 1);
/// assert_eq!(derivation.head().number, 0);
/// assert!(derivation.entry_of_block(1).is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Derivation {
    config: ChainConfig,
    genesis: Parent,
    /// Derived entries, from entry 1 on. The inbox's own entry 0 derives nothing.
    entries: Vec<DerivedEntry>,
}

/// A derived entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedEntry {
    /// The entry on L1.
    pub posted: PostedEntry,
    /// Its first block.
    pub first_block: u64,
    /// Its last block, as the parent of the next.
    pub last: Parent,
    /// Why derivation skipped its batch; `None` if it did not.
    pub fault: Option<BatchFault>,
}

impl Derivation {
    /// A chain of the genesis block only.
    pub const fn new(config: ChainConfig, genesis: Parent) -> Self {
        Self { config, genesis, entries: Vec::new() }
    }

    /// Index of the next entry.
    pub const fn next_entry(&self) -> u64 {
        self.entries.len() as u64 + 1
    }

    /// The last block, as the parent of the next.
    pub fn head(&self) -> Parent {
        self.entries.last().map_or(self.genesis, |entry| entry.last)
    }

    /// The derived entries, from entry 1 on.
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

    /// The blocks that the next entry would derive.
    pub fn preview(&self, source: &EntrySource) -> Result<Derived, DerivationError> {
        self.preview_data(&source.as_data())
    }

    /// The same from borrowed data.
    pub fn preview_data(&self, data: &EntryData<'_>) -> Result<Derived, DerivationError> {
        let (expected, found) = (self.next_entry(), data.entry.index);
        if expected != found {
            return Err(DerivationError::Order { expected, found });
        }
        Ok(derive(&self.config, self.head(), data)?)
    }

    /// Derives the next entry. After an error, nothing has changed.
    pub fn derive(
        &mut self,
        posted: &PostedEntry,
        source: &EntrySource,
    ) -> Result<Derived, DerivationError> {
        self.derive_data(posted, &source.as_data())
    }

    /// The same from borrowed data.
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

    /// Adds an entry that was derived before, without deriving it again. The caller has checked by
    /// the accumulator that it is the same entry after the same entries.
    pub fn resume(&mut self, entry: DerivedEntry) -> Result<(), DerivationError> {
        let (expected, found) = (self.next_entry(), entry.posted.entry.index);
        if expected != found {
            return Err(DerivationError::Order { expected, found });
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Index of the first derived entry that is not among `entries`, which are L1's entries by
    /// index. L1 still holds the entries before it.
    pub fn common(&self, entries: &[PostedEntry]) -> u64 {
        let is_there = |derived: &DerivedEntry| {
            let at = usize::try_from(derived.posted.entry.index).ok();
            at.and_then(|at| entries.get(at)).is_some_and(|posted| posted.acc == derived.posted.acc)
        };
        // An accumulator commits to all entries up to its own.
        self.entries.partition_point(is_there) as u64 + 1
    }

    /// Number of the last block that L1 blocks up to `l1_block` hold. 0 is the genesis block.
    pub fn last_block_within(&self, l1_block: u64) -> u64 {
        let within = |derived: &DerivedEntry| derived.posted.entry.l1_block_number <= l1_block;
        let count = self.entries.partition_point(within);
        count.checked_sub(1).map_or(self.genesis.number, |newest| self.entries[newest].last.number)
    }

    /// Removes entry `next` and all later ones.
    pub fn rewind(&mut self, next: u64) {
        let kept = usize::try_from(next.saturating_sub(1)).unwrap_or(usize::MAX);
        self.entries.truncate(kept);
    }
}
