//! Blocks by number and hash.

use std::ops::Range;

use alloy_primitives::B256;
use alloy_rlp::Decodable as _;
use sqlx::{Row as _, any::AnyRow};

use crate::{
    BlockRecord, Database, StorageError,
    sql::{signed, unsigned},
};

impl Database {
    /// Returns the number of the newest indexed block.
    pub async fn head_block(&self) -> Result<Option<u64>, StorageError> {
        let row = sqlx::query("SELECT MAX(number) FROM blocks")
            .fetch_one(&self.index_database().readers)
            .await?;
        Ok(row.try_get::<Option<i64>, _>(0)?.map(unsigned))
    }

    /// Returns the rows of the journal from a block's first part to its last, the end excluded.
    /// Rows without its parts may lie between. `None` for the genesis block and for unknown ones.
    pub async fn rows_of(&self, block: u64) -> Result<Option<Range<u64>>, StorageError> {
        let row = sqlx::query("SELECT first_row, end_row FROM blocks WHERE number = $1")
            .bind(signed(block))
            .fetch_optional(&self.index_database().readers)
            .await?;
        row.as_ref().map_or(Ok(None), |row| rows_in(row, 0))
    }

    /// Reads the block with this number.
    pub async fn block(&self, number: u64) -> Result<Option<BlockRecord>, StorageError> {
        let row = sqlx::query("SELECT number, payload FROM blocks WHERE number = $1")
            .bind(signed(number))
            .fetch_optional(&self.index_database().readers)
            .await?;
        row.as_ref().map(read_block).transpose()
    }

    /// Reads the blocks from `from` to `to`, both included, in order.
    pub async fn blocks(&self, from: u64, to: u64) -> Result<Vec<BlockRecord>, StorageError> {
        let rows = sqlx::query(
            "SELECT number, payload FROM blocks WHERE number >= $1 AND number <= $2 ORDER BY number",
        )
        .bind(signed(from))
        .bind(signed(to))
        .fetch_all(&self.index_database().readers)
        .await?;
        rows.iter().map(read_block).collect()
    }

    /// Returns the number of the block with this hash.
    pub async fn block_number(&self, hash: &B256) -> Result<Option<u64>, StorageError> {
        let row = sqlx::query("SELECT number FROM blocks WHERE hash = $1")
            .bind(hash.as_slice())
            .fetch_optional(&self.index_database().readers)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.map(unsigned))
    }
}

pub(crate) fn read_block(row: &AnyRow) -> Result<BlockRecord, StorageError> {
    let number = unsigned(row.try_get(0)?);
    let mut payload: &[u8] = row.try_get(1)?;
    BlockRecord::decode(&mut payload).map_err(|error| StorageError::Damaged {
        table: "blocks",
        key: number,
        reason: error.to_string(),
    })
}

/// Reads a range of rows from two columns.
pub(crate) fn rows_in(row: &AnyRow, column: usize) -> Result<Option<Range<u64>>, StorageError> {
    let first: Option<i64> = row.try_get(column)?;
    let end: Option<i64> = row.try_get(column + 1)?;
    Ok(first.zip(end).map(|(first, end)| unsigned(first)..unsigned(end)))
}
