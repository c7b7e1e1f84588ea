//! Tables derived from the journal that answer queries: blocks, transactions, logs, withdrawals and
//! refused transactions.
//!
//! # Job
//!
//! [`Database::index`] applies a batch of changes that follow from rows of the journal: sealed
//! blocks, refused transactions, and a rewind. All other functions read. The index is
//! written behind the journal, so that no append waits for it.
//!
//! # Format
//!
//! | tables                               | content                                              |
//! |--------------------------------------|------------------------------------------------------|
//! | `index_cursor`                       | next row of the journal to index; the writer's epoch |
//! | `blocks`                             | header, receipts, times, rows of the journal         |
//! | `transactions`, `transaction_runs`   | block and position by transaction hash               |
//! | `block_keys`, `block_postings`       | blocks by address, topic and account                 |
//! | `refused`                            | accepted transactions that will be in no block       |
//! | `reorgs`, `reorged_transactions`     | voided blocks and their transactions                 |
//! | `withdrawals`, `passer_proofs`       | messages to L1, proofs of the message passer         |
//!
//! On SQLite the index is a file beside the journal's (`*.index.db`), on PostgreSQL it shares the
//! database.
//!
//! # Recovery
//!
//! A batch and the cursor's move are one transaction. After a crash the cursor says which rows are
//! missing: the node executes those rows again and indexes their blocks. The whole index can be
//! deleted, or emptied with [`Database::clear_index`], and is rebuilt from row 0
//! (`turnpike db rebuild`).
//!
//! The cursor moves only forward, and only in the epoch of the process that opened the database for
//! writing last. A batch of an older epoch fails with [`StorageError::Fenced`].
//!
//! # Durability
//!
//! SQLite runs with `synchronous = NORMAL`: a power failure may undo the newest batches, but never
//! part of one. That is safe because the journal is durable first.

mod block_keys;
mod blocks;
mod refused;
mod reorgs;
mod sealed_inputs;
mod times;
mod transactions;
mod withdrawals;

use std::ops::Range;

use alloy_primitives::B256;
use sqlx::{AnyConnection, Connection as _, Row as _};

pub use {
    block_keys::{BlockKey, BlockKeys, BlockQuery},
    reorgs::{IndexedReorg, ReorgedFrom},
    times::StoredTimes,
    transactions::TransactionLocation,
};

use crate::{
    BlockRecord, Database, PasserProof, StorageError, WithdrawalRecord,
    sql::{encoded, for_rows, signed, unsigned},
};

/// The changes that rows of the journal make to the index. The fields are applied in order.
#[derive(Clone, Debug, Default)]
pub struct IndexBatch {
    /// The cursor afterwards: the sequence after the last part of the newest indexed block.
    pub to: u64,
    /// Blocks to remove first.
    pub rewind: Option<IndexRewind>,
    /// Transactions accepted into the pool. They stop being refused.
    pub accepted: Vec<B256>,
    /// Sealed blocks, in order.
    pub blocks: Vec<SealedBlock>,
    /// Transactions that will not be executed, with the reason.
    pub refused: Vec<(B256, String)>,
}

/// The newest blocks, to be removed from the index after a reorg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexRewind {
    /// First block to remove.
    pub first_block: u64,
    /// Cause of the reorg.
    pub reason: String,
    /// All transactions of these blocks, deposits included, each with its block's number.
    pub reorged: Vec<(B256, u64)>,
}

/// A sealed block with everything that the index derives from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedBlock {
    /// Rows of the journal from its first part to its last, the end excluded.
    pub rows: Range<u64>,
    /// Block hash.
    pub hash: B256,
    /// Header, transactions and receipts.
    pub block: BlockRecord,
    /// Hashes of its transactions, deposits included, in order.
    pub hashes: Vec<B256>,
    /// Keys for searches by address, topic and account.
    pub block_keys: BlockKeys,
    /// Proof of the message passer's account in the state after the block.
    pub passer_proof: PasserProof,
    /// Messages to L1, in order.
    pub withdrawals: Vec<WithdrawalRecord>,
    /// When its parts and its hash were written. [`Database::note_sealed`] can set the latter
    /// later.
    pub times: StoredTimes,
}

/// Statements that empty the index.
const CLEAR_TABLES: [&str; 10] = [
    "DELETE FROM blocks",
    "DELETE FROM transactions",
    "DELETE FROM transaction_runs",
    "DELETE FROM refused",
    "DELETE FROM reorgs",
    "DELETE FROM reorged_transactions",
    "DELETE FROM withdrawals",
    "DELETE FROM passer_proofs",
    "DELETE FROM block_keys",
    "DELETE FROM block_postings",
];

impl Database {
    /// Applies a batch to the index, completely or not at all. Fails if the batch's rows are
    /// already indexed. Fails with [`StorageError::Fenced`] if another process writes the database
    /// now.
    pub async fn index(&self, batch: &IndexBatch) -> Result<(), StorageError> {
        let index = self.index_database();
        let mut writer = index.writer().await?;
        let mut tx = writer.begin().await?;
        let moved = sqlx::query(
            "UPDATE index_cursor SET sequence = $1 WHERE epoch = $2 AND sequence <= $1",
        )
        .bind(signed(batch.to))
        .bind(signed(index.epoch))
        .execute(&mut *tx)
        .await?;
        if moved.rows_affected() != 1 {
            return Err(cursor_error(&mut tx, index.epoch, batch.to).await?);
        }
        if let Some(rewind_to) = &batch.rewind {
            rewind(&mut tx, rewind_to).await?;
        }
        refused::remove(&mut tx, &batch.accepted).await?;
        insert_blocks(&mut tx, &batch.blocks).await?;
        refused::insert(&mut tx, &batch.refused).await?;
        Ok(tx.commit().await?)
    }

    /// Sequence of the next row to index.
    pub async fn indexed_to(&self) -> Result<u64, StorageError> {
        let row = sqlx::query("SELECT sequence FROM index_cursor")
            .fetch_one(&self.index_database().readers)
            .await?;
        Ok(unsigned(row.try_get(0)?))
    }

    /// Empties the index, to be rebuilt from row 0.
    pub async fn clear_index(&self) -> Result<(), StorageError> {
        let mut writer = self.index_database().writer().await?;
        let mut tx = writer.begin().await?;
        for delete in CLEAR_TABLES {
            sqlx::query(delete).execute(&mut *tx).await?;
        }
        sqlx::query("UPDATE index_cursor SET sequence = 0").execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// Indexes the genesis block, which is in no row. Does nothing if the block is already indexed.
    pub async fn record_genesis(
        &self,
        hash: &B256,
        genesis: &BlockRecord,
    ) -> Result<(), StorageError> {
        let mut writer = self.index_database().writer().await?;
        let mut tx = writer.begin().await?;
        let inserted = sqlx::query(
            "INSERT INTO blocks (number, hash, state_root, payload) VALUES (0, $1, $2, $3)
             ON CONFLICT DO NOTHING",
        )
        .bind(hash.as_slice())
        .bind(genesis.header.state_root.as_slice())
        .bind(encoded(genesis))
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() > 0 {
            block_keys::insert(&mut tx, &[(0, &BlockKeys::default())]).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// The reason why the cursor could not move to row `to`.
async fn cursor_error(
    tx: &mut AnyConnection,
    epoch: u64,
    to: u64,
) -> Result<StorageError, StorageError> {
    let row = sqlx::query("SELECT sequence, epoch FROM index_cursor").fetch_one(tx).await?;
    let (sequence, found) = (unsigned(row.try_get(0)?), unsigned(row.try_get(1)?));
    Ok(if found == epoch {
        let reason = format!("cursor is at row {sequence} already");
        StorageError::Damaged { table: "index_cursor", key: to, reason }
    } else {
        StorageError::Fenced(epoch)
    })
}

async fn rewind(
    tx: &mut AnyConnection,
    IndexRewind { first_block, reason, reorged }: &IndexRewind,
) -> Result<(), StorageError> {
    let first = signed(*first_block);
    let newest = sqlx::query("SELECT MAX(number) FROM blocks").fetch_one(&mut *tx).await?;
    let newest: Option<i64> = newest.try_get(0)?;
    if newest.is_none_or(|newest| newest < first) && reorged.is_empty() {
        return Ok(());
    }
    for delete in [
        "DELETE FROM blocks WHERE number >= $1",
        "DELETE FROM withdrawals WHERE block >= $1",
        "DELETE FROM passer_proofs WHERE block >= $1",
    ] {
        sqlx::query(delete).bind(first).execute(&mut *tx).await?;
    }
    block_keys::rewind(tx, *first_block).await?;
    let hashes = reorged.iter().map(|(hash, _)| hash);
    transactions::rewind(tx, *first_block, hashes).await?;
    let row = sqlx::query(
        "INSERT INTO reorgs (id, first_block, reason)
         VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM reorgs), $1, $2) RETURNING id",
    )
    .bind(first)
    .bind(reason)
    .fetch_one(&mut *tx)
    .await?;
    let id: i64 = row.try_get(0)?;
    for_rows::<3, _>(
        tx,
        "INSERT INTO reorged_transactions (hash, reorg, block) VALUES ? ON CONFLICT DO NOTHING",
        reorged,
        |query, (hash, block)| query.bind(hash.to_vec()).bind(id).bind(signed(*block)),
    )
    .await
}

async fn insert_blocks(tx: &mut AnyConnection, blocks: &[SealedBlock]) -> Result<(), StorageError> {
    for sealed in blocks {
        let number = signed(sealed.block.header.number);
        sqlx::query(
            "INSERT INTO blocks (number, hash, state_root, first_row, end_row, payload, sealed_ms, times)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(number)
        .bind(sealed.hash.as_slice())
        .bind(sealed.block.header.state_root.as_slice())
        .bind(signed(sealed.rows.start))
        .bind(signed(sealed.rows.end))
        .bind(encoded(&sealed.block))
        .bind(sealed.times.sealed_ms.map(signed))
        .bind(encoded(&sealed.times.parts))
        .execute(&mut *tx)
        .await?;
        sqlx::query("INSERT INTO passer_proofs (block, payload) VALUES ($1, $2)")
            .bind(number)
            .bind(encoded(&sealed.passer_proof))
            .execute(&mut *tx)
            .await?;
        for_rows::<4, _>(
            tx,
            "INSERT INTO withdrawals (hash, block, l2_transaction, payload) VALUES ?",
            &sealed.withdrawals,
            |query, withdrawal| {
                query
                    .bind(withdrawal.hash.to_vec())
                    .bind(number)
                    .bind(withdrawal.transaction.to_vec())
                    .bind(encoded(withdrawal))
            },
        )
        .await?;
    }
    let hashes = blocks.iter().map(|sealed| (sealed.block.header.number, &sealed.hashes[..]));
    transactions::insert(tx, hashes).await?;
    let keys: Vec<_> =
        blocks.iter().map(|sealed| (sealed.block.header.number, &sealed.block_keys)).collect();
    block_keys::insert(tx, &keys).await
}
