//! Sealed blocks for the batcher: the index locates them, and the journal provides their
//! transactions.

use std::ops::Range;

use alloy_primitives::B256;
use sqlx::{Row as _, any::AnyRow};

use super::blocks::rows_in;
use crate::{
    BlockAssembler, BlockPart, Database, JournalBlock, JournalEntry, JournalRow, SealedInput,
    StorageError,
    sql::{signed, unsigned},
};

/// Maximum rows between two blocks that are read with the blocks instead of by another query.
const GAP_ROWS_MAX: u64 = 64;

/// Maximum rows of one query.
const ROWS_MAX: u64 = 256;

/// A sealed block's entry in the index.
struct IndexedBlock {
    number: u64,
    hash: B256,
    state_root: B256,
    rows: Range<u64>,
}

impl Database {
    /// Reads at most `limit` sealed blocks from `from` on, in order. Their transactions come from
    /// the journal. Blocks that are not indexed yet are left out.
    pub async fn sealed_blocks(
        &self,
        from: u64,
        limit: u32,
    ) -> Result<Vec<SealedInput>, StorageError> {
        let rows = sqlx::query(
            "SELECT number, hash, state_root, first_row, end_row FROM blocks
             WHERE number >= $1 AND first_row IS NOT NULL ORDER BY number LIMIT $2",
        )
        .bind(signed(from))
        .bind(i64::from(limit))
        .fetch_all(&self.index_database().readers)
        .await?;
        let indexed: Vec<_> = rows.iter().map(read_indexed).collect::<Result<_, _>>()?;
        let mut sealed = Vec::with_capacity(indexed.len());
        for group in indexed.chunk_by(|block, next| is_near(&block.rows, &next.rows)) {
            self.read_group(group, &mut sealed).await?;
        }
        Ok(sealed)
    }

    /// Returns the hash of a sealed block.
    pub async fn block_hash(&self, number: u64) -> Result<Option<B256>, StorageError> {
        let row = sqlx::query("SELECT hash FROM blocks WHERE number = $1")
            .bind(signed(number))
            .fetch_optional(&self.index_database().readers)
            .await?;
        row.map(|row| Ok(B256::right_padding_from(row.try_get(0)?))).transpose()
    }

    /// Reads blocks whose rows lie close together.
    async fn read_group(
        &self,
        group: &[IndexedBlock],
        sealed: &mut Vec<SealedInput>,
    ) -> Result<(), StorageError> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(()) };
        let mut blocks = group.iter();
        let mut next = blocks.next();
        let mut assembler = BlockAssembler::new(first.number);
        let mut at = first.rows.start;
        while at < last.rows.end {
            let count = (last.rows.end - at).min(ROWS_MAX);
            let rows = self.rows(at, u32::try_from(count).expect("invariant: bounded")).await?;
            if rows.is_empty() {
                return Err(damaged(at, "row is missing".into()));
            }
            at += rows.len() as u64;
            for row in rows {
                let Some(indexed) = next else { return Ok(()) };
                let Some((part, received_ms)) = part_of(&row, indexed) else { continue };
                if let Some(block) = assembler.take_part(&row, part, received_ms)? {
                    sealed.push(indexed.input(block)?);
                    next = blocks.next();
                }
            }
        }
        match next {
            None => Ok(()),
            Some(indexed) => {
                Err(damaged(last.rows.end, format!("block {} has no last part", indexed.number)))
            }
        }
    }
}

impl IndexedBlock {
    fn input(&self, block: JournalBlock) -> Result<SealedInput, StorageError> {
        if block.rows != self.rows {
            let reason = format!("block {} is in rows {:?}", self.number, block.rows);
            return Err(StorageError::Damaged { table: "blocks", key: self.number, reason });
        }
        Ok(SealedInput {
            number: self.number,
            time_ms: block.opening.time_ms,
            origin: block.opening.origin,
            deposits: block.opening.deposits,
            transactions: block.transactions.into_iter().map(|tx| tx.raw).collect(),
            hash: self.hash,
            state_root: self.state_root,
        })
    }
}

/// The part of the block that a row holds. Rows of reorged blocks with the same number can lie
/// before the block, never within it.
fn part_of<'a>(row: &'a JournalRow, block: &IndexedBlock) -> Option<(&'a BlockPart, &'a [u64])> {
    let JournalEntry::Slice(slice) = &row.entry else { return None };
    let part = slice.part.as_ref()?;
    let is_of_block = block.rows.contains(&row.sequence) && part.block == block.number;
    is_of_block.then_some((part, slice.received_ms.as_slice()))
}

fn is_near(block: &Range<u64>, next: &Range<u64>) -> bool {
    next.start.checked_sub(block.end).is_some_and(|gap| gap <= GAP_ROWS_MAX)
}

fn read_indexed(row: &AnyRow) -> Result<IndexedBlock, StorageError> {
    let number = unsigned(row.try_get(0)?);
    let damaged = |reason: String| StorageError::Damaged { table: "blocks", key: number, reason };
    let rows = rows_in(row, 3)?.ok_or_else(|| damaged("block has no rows".into()))?;
    let hash = B256::right_padding_from(row.try_get(1)?);
    let state_root = B256::right_padding_from(row.try_get(2)?);
    Ok(IndexedBlock { number, hash, state_root, rows })
}

fn damaged(sequence: u64, reason: String) -> StorageError {
    StorageError::Damaged { table: "journal", key: sequence, reason }
}
