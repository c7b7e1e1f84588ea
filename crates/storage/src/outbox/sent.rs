//! Signed transactions of a challenger.

use alloy_primitives::{B256, Bytes};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Database, StorageError,
    sql::{bytes, signed, unsigned},
};

/// A signed transaction of a challenger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentTransaction {
    /// Hash of the transaction.
    pub l1_transaction: B256,
    /// Its nonce.
    pub nonce: u64,
    /// Purpose, in the challenger's words. No second transaction is sent for a purpose in flight.
    pub purpose: String,
    /// Timestamp, in seconds, of the last L1 block in which it is useful; [`u64::MAX`] for no deadline.
    pub deadline: u64,
    /// Newest L1 block when it was signed.
    pub l1_block: u64,
    /// EIP-2718 encoding.
    pub raw: Bytes,
}

impl Database {
    /// Records a transaction before broadcasting.
    pub async fn record_sent(&self, sent: &SentTransaction) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO sent (l1_transaction, attempt, nonce, purpose, deadline, l1_block, raw)
             VALUES ($1, (SELECT COALESCE(MAX(attempt), 0) + 1 FROM sent), $2, $3, $4, $5, $6)
             ON CONFLICT (l1_transaction) DO NOTHING",
        )
        .bind(sent.l1_transaction.to_vec())
        .bind(signed(sent.nonce))
        .bind(&sent.purpose)
        .bind(i64::try_from(sent.deadline).unwrap_or(i64::MAX))
        .bind(signed(sent.l1_block))
        .bind(sent.raw.to_vec())
        .execute(self.writer().await?.connection())
        .await?;
        Ok(())
    }

    /// Reads every transaction that was not forgotten, in order of signing.
    pub async fn sent(&self) -> Result<Vec<SentTransaction>, StorageError> {
        let rows =
            sqlx::query("SELECT * FROM sent ORDER BY attempt").fetch_all(&self.readers).await?;
        rows.iter().map(read_sent).collect()
    }

    /// Deletes a transaction by hash. Its nonce would not identify it: the database may hold transactions
    /// of several accounts.
    pub async fn forget_sent(&self, l1_transaction: B256) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM sent WHERE l1_transaction = $1")
            .bind(l1_transaction.to_vec())
            .execute(self.writer().await?.connection())
            .await?;
        Ok(())
    }
}

fn read_sent(row: &AnyRow) -> Result<SentTransaction, StorageError> {
    let number = |name: &str| Ok::<_, StorageError>(unsigned(row.try_get(name)?));
    Ok(SentTransaction {
        l1_transaction: B256::right_padding_from(row.try_get("l1_transaction")?),
        nonce: number("nonce")?,
        purpose: row.try_get("purpose")?,
        deadline: match row.try_get("deadline")? {
            i64::MAX => u64::MAX,
            deadline => unsigned(deadline),
        },
        l1_block: number("l1_block")?,
        raw: bytes(row.try_get("raw")?),
    })
}
