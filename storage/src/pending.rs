use alloy_primitives::{B256, Bytes};
use sqlx::{Row as _, Sqlite, Transaction};

use crate::{
    Database, StorageError,
    journal::{bytes, signed},
};

impl Database {
    /// Records transactions that are about to be acknowledged: `(arrival, hash, raw)`. `replaced` are those that they
    /// push out of the pool, each with the reason.
    pub async fn accept(
        &self,
        accepted: &[(u64, B256, Bytes)],
        replaced: &[(B256, String)],
    ) -> Result<(), StorageError> {
        let mut tx = self.writer().begin_with("BEGIN IMMEDIATE").await?;
        for (arrival, hash, raw) in accepted {
            restore(&mut tx, *arrival, hash, raw).await?;
        }
        for (hash, reason) in replaced {
            refuse(&mut tx, hash, reason).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Transactions that were acknowledged and are in no block, in the order of arrival, each with its arrival.
    pub async fn pending(&self) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let rows = sqlx::query("SELECT arrival, raw FROM pending ORDER BY arrival")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| Ok((crate::journal::unsigned(row.try_get(0)?), bytes(row.try_get(1)?))))
            .collect()
    }

    /// The arrival of the transaction that has waited longest.
    pub async fn oldest_pending(&self) -> Result<Option<u64>, StorageError> {
        let row = sqlx::query("SELECT MIN(arrival) FROM pending").fetch_one(&self.readers).await?;
        let oldest: Option<i64> = row.try_get(0)?;
        Ok(oldest.map(crate::journal::unsigned))
    }

    /// The bytes of a transaction that was acknowledged and is in no block.
    pub async fn pending_raw(&self, hash: &B256) -> Result<Option<Bytes>, StorageError> {
        let row = sqlx::query("SELECT raw FROM pending WHERE hash = $1")
            .bind(hash.as_slice())
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map(|row| row.try_get(0).map(bytes)).transpose()?)
    }

    /// Takes transactions off the pending list, each with the reason.
    pub async fn refuse(&self, refused: &[(B256, String)]) -> Result<(), StorageError> {
        self.accept(&[], refused).await
    }

    /// Why a transaction that was acknowledged never got into a block.
    pub async fn refusal(&self, hash: &B256) -> Result<Option<String>, StorageError> {
        let row = sqlx::query("SELECT reason FROM refused WHERE hash = $1")
            .bind(hash.as_slice())
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }
}

pub(crate) async fn refuse(
    tx: &mut Transaction<'_, Sqlite>,
    hash: &B256,
    reason: &str,
) -> Result<(), StorageError> {
    remove_pending(tx, hash).await?;
    sqlx::query("INSERT INTO refused (hash, reason) VALUES ($1, $2) ON CONFLICT (hash) DO UPDATE SET reason = excluded.reason")
        .bind(hash.as_slice())
        .bind(reason)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Puts a transaction on the pending list.
pub(crate) async fn restore(
    tx: &mut Transaction<'_, Sqlite>,
    arrival: u64,
    hash: &B256,
    raw: &Bytes,
) -> Result<(), StorageError> {
    sqlx::query("INSERT INTO pending (arrival, hash, raw) VALUES ($1, $2, $3)")
        .bind(signed(arrival))
        .bind(hash.as_slice())
        .bind(raw.as_ref())
        .execute(&mut **tx)
        .await?;
    // One that was refused may come again.
    sqlx::query("DELETE FROM refused WHERE hash = $1")
        .bind(hash.as_slice())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(crate) async fn remove_pending(
    tx: &mut Transaction<'_, Sqlite>,
    hash: &B256,
) -> Result<(), StorageError> {
    sqlx::query("DELETE FROM pending WHERE hash = $1")
        .bind(hash.as_slice())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
