//! Reads a journal from end to end and checks checksums, gaps and whether its rows fit together.

use std::collections::BTreeMap;

use alloy_primitives::{B256, keccak256};
use turnpike_storage::{
    Assembled, BlockAssembler, BlockPart, Database, JournalEntry, JournalRow, SliceEntry,
    StorageError, WaitingTxs,
};

use turnpike_sequencer::{Divergence, unindexed::UnindexedTxs};

/// Rows read at a time.
const ROWS_STEP: u32 = 256;

/// The result of a scan.
#[derive(Debug, Default)]
pub(super) struct JournalScan {
    /// Rows read.
    pub(super) rows: u64,
    /// Rows that rewind the chain, each with its first block.
    voids: Vec<(u64, u64)>,
    /// Outcomes after the last indexed row.
    pub(super) unindexed: UnindexedTxs,
    /// Transactions of blocks that those rows rewind, each with the newest such block.
    pub(super) reorged: BTreeMap<B256, u64>,
    /// Transactions that wait at the end.
    pub(super) waiting: WaitingTxs,
}

impl JournalScan {
    /// Reads the whole journal. The index holds the rows before `indexed_to`. The error is the
    /// first divergence.
    pub(super) async fn of(
        database: &Database,
        indexed_to: u64,
    ) -> Result<Result<Self, Divergence>, StorageError> {
        let mut scan = Self::default();
        let mut assembler = BlockAssembler::new(1);
        let mut chain = BTreeMap::<u64, Vec<B256>>::new();
        loop {
            let rows = match damage_as_divergence(database.rows(scan.rows, ROWS_STEP).await)? {
                Ok(rows) => rows,
                Err(divergence) => return Ok(Err(divergence)),
            };
            if rows.is_empty() {
                return Ok(Ok(scan));
            }
            for row in rows {
                let assembled = match damage_as_divergence(assembler.push(&row))? {
                    Ok(assembled) => assembled,
                    Err(divergence) => return Ok(Err(divergence)),
                };
                scan.rows = row.sequence + 1;
                scan.waiting.take(row.sequence, &row.entry);
                scan.take(&mut chain, row, indexed_to);
                if let Some(Assembled::Block(block)) = assembled
                    && scan.rows <= indexed_to
                {
                    let transactions = block.transactions.iter();
                    scan.unindexed.include(transactions.map(|tx| keccak256(&tx.raw)));
                }
            }
        }
    }

    fn take(&mut self, chain: &mut BTreeMap<u64, Vec<B256>>, row: JournalRow, indexed_to: u64) {
        let is_indexed = row.sequence < indexed_to;
        match row.entry {
            JournalEntry::Slice(slice) => {
                if let Some(part) = slice.part {
                    let hashes = part.transactions.iter().map(|tx| keccak256(&tx.raw));
                    chain.entry(part.block).or_default().extend(hashes);
                }
                if is_indexed {
                    self.unindexed.accept(&slice.accepted);
                    self.unindexed.refuse(slice.refused);
                }
            }
            JournalEntry::Sealed(_) => {}
            JournalEntry::Reorg(taken) => {
                self.voids.push((row.sequence, taken.first_block));
                let void = chain.split_off(&taken.first_block);
                if is_indexed {
                    let all = void.into_iter().flat_map(|(block, hashes)| {
                        hashes.into_iter().map(move |hash| (hash, block))
                    });
                    self.reorged.extend(all);
                    self.unindexed.accept(&taken.waiting);
                    self.unindexed.refuse(taken.refused);
                }
            }
        }
    }

    /// Whether a row after `sequence` voids the block.
    fn is_void(&self, sequence: u64, block: u64) -> bool {
        self.voids.iter().any(|(at, first)| *at > sequence && block >= *first)
    }

    /// The row without the parts that a later row voids. Other rows stay unchanged.
    pub(super) fn without_void_parts(&self, mut row: JournalRow) -> JournalRow {
        let sequence = row.sequence;
        match &mut row.entry {
            JournalEntry::Slice(slice) => {
                slice.part.take_if(|part: &mut BlockPart| self.is_void(sequence, part.block));
            }
            JournalEntry::Sealed(sealed) if !self.is_void(sequence, sealed.number) => {}
            JournalEntry::Sealed(_) | JournalEntry::Reorg(_) => {
                row.entry = JournalEntry::Slice(SliceEntry::default());
            }
        }
        row
    }
}

/// Turns a storage error about damaged data into a divergence.
pub(super) fn damage_as_divergence<T>(
    result: Result<T, StorageError>,
) -> Result<Result<T, Divergence>, StorageError> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(StorageError::Damaged { table: "journal", key: sequence, reason }) => {
            Ok(Err(Divergence::Row { sequence, reason }))
        }
        Err(StorageError::Damaged { table, key, reason }) => {
            Ok(Err(Divergence::Index { table, key: key.to_string(), reason }))
        }
        Err(error) => Err(error),
    }
}
