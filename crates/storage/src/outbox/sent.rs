use alloy_primitives::{B256, Bytes};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Database, StorageError,
    sql::{bytes, signed, unsigned},
};

/// A transaction that a challenger has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentTransaction {
    /// Its hash.
    pub l1_transaction: B256,
    /// Its nonce.
    pub nonce: u64,
    /// What it is for.
    pub purpose: String,
    /// Timestamp, in seconds, of the last L1 block that it is good for; [`u64::MAX`] if it is good for ever.
    pub deadline: u64,
    /// Newest L1 block when it was signed.
    pub l1_block: u64,
    /// Its EIP-2718 bytes.
    pub raw: Bytes,
}

impl Database {
    /// Records a transaction before it is broadcast.
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

    /// Every transaction that was signed and may still matter, in the order of signing.
    pub async fn sent(&self) -> Result<Vec<SentTransaction>, StorageError> {
        let rows =
            sqlx::query("SELECT * FROM sent ORDER BY attempt").fetch_all(&self.readers).await?;
        rows.iter().map(read_sent).collect()
    }

    /// Forgets a transaction: others with its nonce may be another account's.
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
