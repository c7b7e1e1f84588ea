//! Reorgs that the index has applied.

use alloy_primitives::B256;
use sqlx::Row as _;

use crate::{
    Database, StorageError,
    sql::{signed, unsigned},
};

/// The block that a reorg removed a transaction from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReorgedFrom {
    /// Number of the block.
    pub block: u64,
    /// Cause of the reorg.
    pub reason: String,
}

/// A reorg that the index has applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexedReorg {
    /// Its number, counted from 1.
    pub id: u64,
    /// Number of the first block that it removed.
    pub first_block: u64,
}

impl Database {
    /// Returns how many reorgs the index has applied.
    pub async fn reorg_count(&self) -> Result<u64, StorageError> {
        let row = sqlx::query("SELECT COALESCE(MAX(id), 0) FROM reorgs")
            .fetch_one(&self.index_database().readers)
            .await?;
        Ok(unsigned(row.try_get(0)?))
    }

    /// Reads the reorgs after the one with this number, in order.
    pub async fn reorgs_after(&self, id: u64) -> Result<Vec<IndexedReorg>, StorageError> {
        let rows = sqlx::query("SELECT id, first_block FROM reorgs WHERE id > $1 ORDER BY id")
            .bind(signed(id))
            .fetch_all(&self.index_database().readers)
            .await?;
        let read = |row: &sqlx::any::AnyRow| {
            let (id, first_block) = (unsigned(row.try_get(0)?), unsigned(row.try_get(1)?));
            Ok(IndexedReorg { id, first_block })
        };
        rows.iter().map(read).collect()
    }

    /// Returns the block that the last reorg of a transaction removed it from.
    pub async fn reorged_from(&self, hash: &B256) -> Result<Option<ReorgedFrom>, StorageError> {
        let row = sqlx::query(
            "SELECT reorged_transactions.block, reorgs.reason FROM reorged_transactions
             JOIN reorgs ON reorgs.id = reorged_transactions.reorg
             WHERE reorged_transactions.hash = $1
             ORDER BY reorged_transactions.reorg DESC LIMIT 1",
        )
        .bind(hash.as_slice())
        .fetch_optional(&self.index_database().readers)
        .await?;
        row.map(|row| Ok(ReorgedFrom { block: unsigned(row.try_get(0)?), reason: row.try_get(1)? }))
            .transpose()
    }
}
