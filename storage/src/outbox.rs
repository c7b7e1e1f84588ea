use alloy_primitives::B256;
use sqlx::{Row as _, sqlite::SqliteRow};

use crate::{
    Database, StorageError,
    journal::{signed, unsigned},
};

/// A batch that was sent to the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostedBatch {
    /// Inbox entry it is meant for.
    pub entry: u64,
    /// First block it holds.
    pub first_block: u64,
    /// Last block it holds.
    pub last_block: u64,
    /// Commitment to its data.
    pub data_hash: B256,
    /// Nonce of the L1 transaction.
    pub nonce: u64,
    /// Hash of the L1 transaction.
    pub l1_transaction: B256,
    /// L1 block that holds it: then its blocks are safe.
    pub l1_block: Option<u64>,
}

impl Database {
    /// Records a batch before its transaction is broadcast; an unconfirmed one for the same entry gives way.
    pub async fn record_batch(&self, batch: &PostedBatch) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO batches (entry, first_block, last_block, data_hash, nonce, l1_transaction, l1_block)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (entry) DO UPDATE SET
                 first_block = excluded.first_block,
                 last_block = excluded.last_block,
                 data_hash = excluded.data_hash,
                 nonce = excluded.nonce,
                 l1_transaction = excluded.l1_transaction,
                 l1_block = excluded.l1_block",
        )
        .bind(signed(batch.entry))
        .bind(signed(batch.first_block))
        .bind(signed(batch.last_block))
        .bind(batch.data_hash.as_slice())
        .bind(signed(batch.nonce))
        .bind(batch.l1_transaction.as_slice())
        .bind(batch.l1_block.map(signed))
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// The batch of an entry.
    pub async fn batch(&self, entry: u64) -> Result<Option<PostedBatch>, StorageError> {
        let row = sqlx::query("SELECT * FROM batches WHERE entry = $1")
            .bind(signed(entry))
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_batch).transpose()
    }
}

fn read_batch(row: &SqliteRow) -> Result<PostedBatch, StorageError> {
    Ok(PostedBatch {
        entry: unsigned(row.try_get("entry")?),
        first_block: unsigned(row.try_get("first_block")?),
        last_block: unsigned(row.try_get("last_block")?),
        data_hash: B256::right_padding_from(row.try_get("data_hash")?),
        nonce: unsigned(row.try_get("nonce")?),
        l1_transaction: B256::right_padding_from(row.try_get("l1_transaction")?),
        l1_block: row.try_get::<Option<i64>, _>("l1_block")?.map(unsigned),
    })
}
