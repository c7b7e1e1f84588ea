//! Sealed blocks that no inbox entry holds yet.
//!
//! # Limits
//!
//! As many blocks as one entry may hold, up to its uncompressed bytes.

use turnpike_protocol::ChainConfig;
use turnpike_storage::{Database, SealedInput, StorageError};

/// Journal records read at once. A block may be large.
const RECORDS_PER_READ: u32 = 32;

/// Approximate bytes that a block and each of its transactions add to a batch.
const OVERHEAD_BYTES: usize = 16;

/// The journal's blocks that no entry holds yet, in memory, as many as fit one batch.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    records: Vec<SealedInput>,
    /// Newest block of the journal.
    head: u64,
}

impl Backlog {
    /// The oldest blocks, in order.
    pub(crate) fn records(&self) -> &[SealedInput] {
        &self.records
    }

    /// Newest block of the journal.
    pub(crate) const fn head(&self) -> u64 {
        self.head
    }

    /// Reads the journal from block `first` on.
    pub(crate) async fn refresh(
        &mut self,
        journal: &Database,
        config: &ChainConfig,
        first: u64,
    ) -> Result<(), StorageError> {
        self.head = journal.head_block().await?.unwrap_or_default();
        self.records.retain(|record| record.number >= first);
        let last = self.records.last().map(|record| (record.number, record.hash));
        let is_current = match last {
            _ if self.records.first().is_some_and(|record| record.number != first) => false,
            None => true,
            // The journal may have rewound. A block's hash commits to all blocks before it.
            Some((number, hash)) => journal.block_hash(number).await? == Some(hash),
        };
        if !is_current {
            self.records.clear();
        }
        let at_most = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        let mut bytes: usize = self.records.iter().map(size).sum();
        while self.records.len() < at_most(config.entry_blocks_max)
            && bytes < at_most(config.entry_inflated_bytes_max)
        {
            let next = first + self.records.len() as u64;
            let read = journal.sealed_blocks(next, RECORDS_PER_READ).await?;
            let in_order = read.iter().zip(next..).take_while(|(record, n)| record.number == *n);
            let count = in_order.count();
            bytes += read[..count].iter().map(size).sum::<usize>();
            self.records.extend(read.into_iter().take(count));
            if count < RECORDS_PER_READ as usize {
                break;
            }
        }
        Ok(())
    }
}

/// Approximate bytes of a block before compression.
pub(crate) fn size(record: &SealedInput) -> usize {
    let raw: usize = record.transactions.iter().map(|raw| raw.len() + OVERHEAD_BYTES).sum();
    OVERHEAD_BYTES + record.deposits.len() * 2 * OVERHEAD_BYTES + raw
}
