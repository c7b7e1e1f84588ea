//! Signed L1 transactions of all roles.

use alloy_primitives::{B256, Bytes};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Database, StorageError,
    sql::{bytes, signed, unsigned},
};

/// A role that records what it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningRole {
    /// Posts batches.
    Batcher,
    /// Challenges, defends and plays disputes.
    Challenger,
}

impl SigningRole {
    const fn name(self) -> &'static str {
        match self {
            Self::Batcher => "batcher",
            Self::Challenger => "challenger",
        }
    }
}

/// A signed L1 transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTransaction {
    /// Hash of the transaction.
    pub l1_transaction: B256,
    /// Its nonce.
    pub nonce: u64,
    /// Purpose, in the role's words. No second transaction is sent for a purpose in flight.
    pub purpose: String,
    /// Timestamp, in seconds, of the last L1 block in which it is useful; [`u64::MAX`] for no
    /// deadline.
    pub deadline: u64,
    /// Newest L1 block when it was signed.
    pub l1_block: u64,
    /// EIP-2718 encoding, without blobs.
    pub raw: Bytes,
}

impl Database {
    /// Records a transaction before it is broadcast.
    pub async fn record_signed(
        &self,
        role: SigningRole,
        tx: &SignedTransaction,
    ) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO signed_transactions (l1_transaction, role, attempt, nonce, purpose, deadline, l1_block, raw)
             VALUES ($1, $2, (SELECT COALESCE(MAX(attempt), 0) + 1 FROM signed_transactions), $3, $4, $5, $6, $7)
             ON CONFLICT (l1_transaction) DO NOTHING",
        )
        .bind(tx.l1_transaction.to_vec())
        .bind(role.name())
        .bind(signed(tx.nonce))
        .bind(&tx.purpose)
        .bind(i64::try_from(tx.deadline).unwrap_or(i64::MAX))
        .bind(signed(tx.l1_block))
        .bind(tx.raw.to_vec())
        .execute(self.writer().await?.connection())
        .await?;
        Ok(())
    }

    /// Reads every transaction of a role that was not forgotten, in order of signing.
    pub async fn signed(&self, role: SigningRole) -> Result<Vec<SignedTransaction>, StorageError> {
        let rows =
            sqlx::query("SELECT * FROM signed_transactions WHERE role = $1 ORDER BY attempt")
                .bind(role.name())
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(read_signed).collect()
    }

    /// Deletes a transaction by hash. Its nonce would not identify it: the database may hold
    /// transactions of several accounts.
    pub async fn forget_signed(&self, l1_transaction: B256) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM signed_transactions WHERE l1_transaction = $1")
            .bind(l1_transaction.to_vec())
            .execute(self.writer().await?.connection())
            .await?;
        Ok(())
    }
}

fn read_signed(row: &AnyRow) -> Result<SignedTransaction, StorageError> {
    let number = |name: &str| Ok::<_, StorageError>(unsigned(row.try_get(name)?));
    Ok(SignedTransaction {
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
