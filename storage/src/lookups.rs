use alloy_primitives::B256;
use alloy_rlp::Decodable as _;
use sqlx::{Row as _, sqlite::SqliteRow};

use crate::{
    BlockRecord, Database, StorageError,
    journal::{signed, unsigned},
};

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionPlace {
    /// Number of its block.
    pub block: u64,
    /// Its place in the block, deposits counted.
    pub position: usize,
}

impl Database {
    /// The block with this number.
    pub async fn block(&self, number: u64) -> Result<Option<BlockRecord>, StorageError> {
        let row = sqlx::query("SELECT number, payload FROM blocks WHERE number = $1")
            .bind(signed(number))
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_block).transpose()
    }

    /// Blocks from number `from` to `to`, both included, in order.
    pub async fn blocks(&self, from: u64, to: u64) -> Result<Vec<BlockRecord>, StorageError> {
        let rows = sqlx::query(
            "SELECT number, payload FROM blocks WHERE number >= $1 AND number <= $2 ORDER BY number",
        )
        .bind(signed(from))
        .bind(signed(to))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read_block).collect()
    }

    /// Number of the block with this hash.
    pub async fn block_number(&self, hash: &B256) -> Result<Option<u64>, StorageError> {
        let row = sqlx::query("SELECT number FROM blocks WHERE hash = $1")
            .bind(hash.as_slice())
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.map(unsigned))
    }

    /// Where a transaction is, if a block holds it.
    pub async fn transaction(&self, hash: &B256) -> Result<Option<TransactionPlace>, StorageError> {
        let row = sqlx::query("SELECT block, position FROM transactions WHERE hash = $1")
            .bind(hash.as_slice())
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| {
            let position = usize::try_from(unsigned(row.try_get(1)?))
                .expect("invariant: a position indexes memory");
            Ok(TransactionPlace { block: unsigned(row.try_get(0)?), position })
        })
        .transpose()
    }
}

fn read_block(row: &SqliteRow) -> Result<BlockRecord, StorageError> {
    let number = unsigned(row.try_get(0)?);
    let mut payload: &[u8] = row.try_get(1)?;
    BlockRecord::decode(&mut payload).map_err(|error| StorageError::Damaged {
        table: "blocks",
        key: number,
        reason: error.to_string(),
    })
}
