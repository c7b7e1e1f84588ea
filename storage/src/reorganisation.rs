use alloy_primitives::{B256, Bytes};
use sqlx::{Row as _, Sqlite, Transaction};

use crate::{
    Database, SealedBlock, StorageError,
    journal::{insert_block, signed, unsigned},
    pending::{remove_pending, restore},
};

/// Another end of the chain: what is taken back, and what stands there instead.
#[derive(Clone, Debug, Default)]
pub struct Reorganisation {
    /// Blocks from this one on are taken back; none, if it comes after the newest.
    pub first_block: u64,
    /// Why.
    pub reason: String,
    /// Transactions in the blocks taken back, deposits included, each with its block.
    pub reverted: Vec<(B256, u64)>,
    /// The blocks that stand there instead, from `first_block` on.
    pub blocks: Vec<SealedBlock>,
    /// Transactions that wait again: `(arrival, hash, raw)`.
    pub pending: Vec<(u64, B256, Bytes)>,
    /// Transactions that can no longer be included, each with the reason.
    pub refused: Vec<(B256, String)>,
}

/// From which block a transaction was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevertedFrom {
    /// Number of the block.
    pub block: u64,
    /// Why.
    pub reason: String,
}

impl Database {
    /// Replaces the end of journal and look-ups: all of it or nothing, durable on return. If blocks are taken back, a new epoch
    /// begins.
    pub async fn reorganise(&self, change: &Reorganisation) -> Result<(), StorageError> {
        let mut tx = self.writer().begin_with("BEGIN IMMEDIATE").await?;
        take_back(&mut tx, change).await?;
        for sealed in &change.blocks {
            insert_block(&mut tx, sealed).await?;
            index_transactions(&mut tx, sealed).await?;
        }
        for (arrival, hash, raw) in &change.pending {
            restore(&mut tx, *arrival, hash, raw).await?;
        }
        for (hash, reason) in &change.refused {
            crate::pending::refuse(&mut tx, hash, reason).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Times that blocks were taken back.
    pub async fn epoch(&self) -> Result<u64, StorageError> {
        let row = sqlx::query("SELECT COALESCE(MAX(epoch), 0) FROM reorganisations")
            .fetch_one(&self.readers)
            .await?;
        Ok(unsigned(row.try_get(0)?))
    }

    /// The block that a transaction was in before it was last taken back.
    pub async fn reverted_from(&self, hash: &B256) -> Result<Option<RevertedFrom>, StorageError> {
        let row = sqlx::query(
            "SELECT reverted.block, reorganisations.reason FROM reverted
             JOIN reorganisations ON reorganisations.epoch = reverted.epoch
             WHERE reverted.hash = $1 ORDER BY reverted.epoch DESC LIMIT 1",
        )
        .bind(hash.as_slice())
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| {
            Ok(RevertedFrom { block: unsigned(row.try_get(0)?), reason: row.try_get(1)? })
        })
        .transpose()
    }
}

async fn take_back(
    tx: &mut Transaction<'_, Sqlite>,
    change: &Reorganisation,
) -> Result<(), StorageError> {
    let first = signed(change.first_block);
    let newest = sqlx::query("SELECT MAX(sequence) FROM journal").fetch_one(&mut **tx).await?;
    let newest: Option<i64> = newest.try_get(0)?;
    let Some(last) = newest.filter(|newest| *newest >= first) else { return Ok(()) };
    sqlx::query(
        "INSERT INTO reorganisations (epoch, first_block, last_block, reason)
         VALUES ((SELECT COALESCE(MAX(epoch), 0) + 1 FROM reorganisations), $1, $2, $3)",
    )
    .bind(first)
    .bind(last)
    .bind(&change.reason)
    .execute(&mut **tx)
    .await?;
    for delete in [
        "DELETE FROM journal WHERE sequence >= $1",
        "DELETE FROM blocks WHERE number >= $1",
        "DELETE FROM withdrawals WHERE block >= $1",
        "DELETE FROM passer_proofs WHERE block >= $1",
    ] {
        sqlx::query(delete).bind(first).execute(&mut **tx).await?;
    }
    for (hash, block) in &change.reverted {
        sqlx::query("DELETE FROM transactions WHERE hash = $1 AND block >= $2")
            .bind(hash.as_slice())
            .bind(first)
            .execute(&mut **tx)
            .await?;
        sqlx::query(
            "INSERT INTO reverted (hash, epoch, block)
             VALUES ($1, (SELECT MAX(epoch) FROM reorganisations), $2) ON CONFLICT DO NOTHING",
        )
        .bind(hash.as_slice())
        .bind(signed(*block))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Indexes the transactions of a block that L1 gave. A batch can give two deposits one name: then the first has it.
async fn index_transactions(
    tx: &mut Transaction<'_, Sqlite>,
    sealed: &SealedBlock,
) -> Result<(), StorageError> {
    for (position, hash) in (0i64..).zip(&sealed.hashes) {
        sqlx::query(
            "INSERT INTO transactions (hash, block, position) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(hash.as_slice())
        .bind(signed(sealed.record.number))
        .bind(position)
        .execute(&mut **tx)
        .await?;
        remove_pending(tx, hash).await?;
    }
    Ok(())
}
