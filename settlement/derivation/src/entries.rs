use turnpike_l1::{EntrySource, PostedEntry};
use turnpike_protocol::{BatchFault, BlockInput, ChainConfig, Derived, EntryData, Parent, derive};

use crate::{DerivationError, RecoveredEntry};

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
/// let parent = Parent { number: 0, time_ms: genesis.timestamp_ms(), origin: None };
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

impl DerivedEntry {
    /// The entry that derives these blocks.
    pub fn new<T>(
        posted: &PostedEntry,
        blocks: &[BlockInput<T>],
        fault: Option<BatchFault>,
    ) -> Self {
        let ends = blocks.first().zip(blocks.last());
        let (first, last) = ends.expect("invariant: an entry derives at least one block");
        Self { posted: *posted, first_block: first.number, last: last.as_parent(), fault }
    }
}

impl Derivation {
    /// A chain of the genesis block only.
    pub const fn new(config: ChainConfig, genesis: Parent) -> Self {
        Self { config, genesis, entries: Vec::new() }
    }

    /// The chain's rules.
    pub const fn config(&self) -> &ChainConfig {
        &self.config
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

    /// The blocks that the next entry would derive, without signers.
    pub fn preview(&self, source: &EntrySource) -> Result<Derived, DerivationError> {
        let data = source.as_data();
        self.check_next(data.entry.index)?;
        Ok(derive(&self.config, self.head(), &data)?)
    }

    /// The blocks that the next entry would derive, with signers.
    pub fn recover(
        &self,
        posted: &PostedEntry,
        data: &EntryData<'_>,
    ) -> Result<RecoveredEntry, DerivationError> {
        self.check_next(data.entry.index)?;
        Ok(RecoveredEntry::derive(&self.config, self.head(), posted, data)?)
    }

    /// Derives the next entry, without signers. After an error, nothing has changed.
    pub fn derive(
        &mut self,
        posted: &PostedEntry,
        source: &EntrySource,
    ) -> Result<Derived, DerivationError> {
        let derived = self.preview(source)?;
        self.entries.push(DerivedEntry::new(posted, &derived.blocks, derived.fault.clone()));
        Ok(derived)
    }

    /// Adds an entry that was derived before, without deriving it again. The caller has checked by
    /// the accumulator that it is the same entry after the same entries.
    pub fn resume(&mut self, entry: DerivedEntry) -> Result<(), DerivationError> {
        self.check_next(entry.posted.entry.index)?;
        self.entries.push(entry);
        Ok(())
    }

    /// Adds an entry whose signers were recovered. After an error, nothing has changed.
    pub fn accept(&mut self, entry: &RecoveredEntry) -> Result<(), DerivationError> {
        self.check_next(entry.posted.entry.index)?;
        let (expected, found) = (self.head(), entry.parent);
        if expected != found {
            let entry = entry.posted.entry.index;
            return Err(DerivationError::Parent { entry, expected, found });
        }
        let RecoveredEntry { posted, blocks, fault, .. } = entry;
        self.entries.push(DerivedEntry::new(posted, blocks, fault.clone()));
        Ok(())
    }

    const fn check_next(&self, found: u64) -> Result<(), DerivationError> {
        let expected = self.next_entry();
        if expected == found { Ok(()) } else { Err(DerivationError::Order { expected, found }) }
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
