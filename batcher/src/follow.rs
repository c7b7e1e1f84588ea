//! Derives the inbox, without recovering signers, and compares it with the journal by bytes.
//!
//! # State
//!
//! The derivation, for each entry the L2 hash of its last block, and the blocks of the entry that
//! waits for the journal.
//!
//! # Recovery
//!
//! The outbox records what each entry derives. A new run resumes from those records as far as inbox
//! and journal still match them, and derives the rest.

use std::sync::Arc;

use alloy_primitives::B256;
use anyhow::Context as _;
use tokio::task::block_in_place;
use tracing::{info, warn};
use turnpike_derivation::{Derivation, DerivedEntry};
use turnpike_l1::{EntryPayload, L1View, PostedEntry};
use turnpike_protocol::{BlockInput, ChainConfig, Derived, Parent, TxEnvelope};
use turnpike_storage::{Database, DerivedRecord, StorageError};

use crate::items::ItemCache;

/// The inbox's entries, derived, as far as the journal holds the same blocks.
#[derive(Debug)]
pub(crate) struct Follower {
    derivation: Derivation,
    journal: Arc<Database>,
    outbox: Arc<Database>,
    /// L2 hash of each entry's last block in the journal.
    hashes: Vec<B256>,
    /// The entry whose blocks the journal did not hold yet.
    waiting: Option<WaitingEntry>,
}

/// A derived entry that waits for the journal. It is derived once, however long it waits.
#[derive(Debug)]
struct WaitingEntry {
    /// Accumulator after the entry.
    acc: B256,
    parent: Parent,
    derived: Derived,
}

impl Follower {
    pub(crate) const fn new(
        config: ChainConfig,
        genesis: Parent,
        journal: Arc<Database>,
        outbox: Arc<Database>,
    ) -> Self {
        let derivation = Derivation::new(config, genesis);
        Self { derivation, journal, outbox, hashes: Vec::new(), waiting: None }
    }

    /// The last block that inbox and journal share.
    pub(crate) fn head(&self) -> Parent {
        self.derivation.head()
    }

    /// L2 hash of that block in the journal; `None` for the genesis block.
    pub(crate) fn head_hash(&self) -> Option<B256> {
        self.hashes.last().copied()
    }

    /// Last block of each entry, entry 0 included.
    pub(crate) fn last_blocks(&self) -> Vec<u64> {
        std::iter::once(0).chain(self.derivation.entries().iter().map(|e| e.last.number)).collect()
    }

    /// Rewinds to the entries that L1 still holds.
    fn match_inbox(&mut self, inbox: &[PostedEntry]) {
        while let Some(last) = self.derivation.entries().last() {
            let index = last.posted.entry.index;
            let posted = usize::try_from(index).ok().and_then(|at| inbox.get(at));
            if posted.is_some_and(|posted| posted.acc == last.posted.acc) {
                return;
            }
            warn!(entry = index, "L1 dropped an entry");
            self.pop();
        }
    }

    /// Rewinds to the entries whose blocks the journal still holds.
    async fn match_journal(&mut self) -> Result<(), StorageError> {
        while let Some(last) = self.derivation.entries().last() {
            let hash = self.journal.block_hash(last.last.number).await?;
            if hash.is_some() && hash == self.hashes.last().copied() {
                return Ok(());
            }
            info!(entry = last.posted.entry.index, "the journal was rewound");
            self.pop();
        }
        Ok(())
    }

    fn pop(&mut self) {
        self.derivation.rewind(self.derivation.next_entry() - 1);
        self.hashes.pop();
    }

    /// Derives new inbox entries and compares them with the journal. `false` while the journal
    /// holds other blocks, or does not hold them yet.
    pub(crate) async fn advance(
        &mut self,
        view: &L1View,
        items: &ItemCache,
    ) -> anyhow::Result<bool> {
        self.match_inbox(view.entries());
        self.match_journal().await?;
        loop {
            let next = self.derivation.next_entry();
            let at = usize::try_from(next)?;
            let Some(posted) = view.entries().get(at).copied() else { return Ok(true) };
            if !self.resume(&posted).await? && !self.derive(&posted, view, items).await? {
                return Ok(false);
            }
        }
    }

    /// Resumes from the record of an entry. `false` if there is none that matches inbox and
    /// journal.
    async fn resume(&mut self, posted: &PostedEntry) -> anyhow::Result<bool> {
        let recorded = self.outbox.derived(posted.entry.index).await?;
        let Some(recorded) = recorded.filter(|recorded| recorded.acc == posted.acc) else {
            return Ok(false);
        };
        if self.journal.block_hash(recorded.last_block).await? != Some(recorded.last_hash) {
            return Ok(false);
        }
        let last = Parent {
            number: recorded.last_block,
            time_ms: recorded.last_time_ms,
            origin: recorded.last_origin,
        };
        let first_block = recorded.first_block;
        self.derivation.resume(DerivedEntry { posted: *posted, first_block, last, fault: None })?;
        self.hashes.push(recorded.last_hash);
        Ok(true)
    }

    /// Derives an entry and records the result if the journal holds the same blocks.
    async fn derive(
        &mut self,
        posted: &PostedEntry,
        view: &L1View,
        items: &ItemCache,
    ) -> anyhow::Result<bool> {
        let (index, acc, parent) = (posted.entry.index, posted.acc, self.head());
        let is_same = |waiting: &WaitingEntry| waiting.acc == acc && waiting.parent == parent;
        let waiting = self.waiting.take().filter(is_same);
        let (is_new, derived) = match waiting {
            Some(waiting) => (false, waiting.derived),
            None => {
                let payload = self.payload(posted, view, items).await?;
                let source = view.source_of(posted.entry, payload)?;
                (true, block_in_place(|| self.derivation.preview(&source))?)
            }
        };
        let entry = DerivedEntry::new(posted, &derived.blocks, derived.fault.clone());
        let DerivedEntry { first_block, last, .. } = entry;
        let Some(last_hash) = matching(&self.journal, &derived.blocks).await? else {
            if is_new {
                warn!(
                    entry = index,
                    first_block,
                    "the inbox holds blocks that the journal does not: posting waits for the journal"
                );
            }
            self.waiting = Some(WaitingEntry { acc, parent, derived });
            return Ok(false);
        };
        if let Some(fault) = derived.fault {
            warn!(entry = index, %fault, "invalid batch: derivation skips it");
        }
        self.derivation.resume(entry)?;
        self.hashes.push(last_hash);
        self.outbox
            .record_derived(&DerivedRecord {
                entry: index,
                acc,
                first_block,
                last_block: last.number,
                last_time_ms: last.time_ms,
                last_origin: last.origin,
                last_hash,
            })
            .await?;
        Ok(true)
    }

    /// The data of an entry: from the outbox if the batch is ours, else from L1.
    async fn payload(
        &self,
        posted: &PostedEntry,
        view: &L1View,
        items: &ItemCache,
    ) -> anyhow::Result<EntryPayload> {
        let at = usize::try_from(posted.entry.index)?;
        let number = view.batches().partition_point(|index| *index < at) as u64 + 1;
        let recorded = self.outbox.batch(number).await?;
        let own = recorded.filter(|batch| {
            batch.data_hash == posted.entry.data_hash
                && batch.kind == posted.entry.data_kind
                && !batch.data.is_empty()
        });
        match own {
            Some(batch) => Ok(items.payload(&batch).await?),
            None => Ok(view.client().payload(posted).await?),
        }
    }
}

/// L2 hash of the last of these blocks, if the journal holds all of them.
pub(crate) async fn matching(
    journal: &Database,
    blocks: &[BlockInput<TxEnvelope>],
) -> anyhow::Result<Option<B256>> {
    let first_block = blocks.first().context("an entry of at least one block")?.number;
    let count = u32::try_from(blocks.len()).context("an entry of few blocks")?;
    let records = journal.sealed_blocks(first_block, count).await?;
    let same = records.len() == blocks.len()
        && records.iter().zip(blocks).all(|(record, block)| record.is_block(block));
    Ok(records.last().filter(|_| same).map(|record| record.hash))
}
