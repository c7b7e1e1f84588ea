//! The index' side of the journal: what is written behind it.

mod block_keys;
mod blocks;
mod pending;
mod reorgs;
mod sealed_inputs;
mod times;
mod transactions;
mod withdrawals;

use std::ops::Range;

use alloy_primitives::{B256, keccak256};
use sqlx::{AnyConnection, Connection as _, Row as _};

pub(crate) use times::{received, waited};
pub use {
    block_keys::{BlockKey, BlockKeys, BlockQuery},
    reorgs::{IndexedReorg, ReorgedFrom},
    times::{BlockTimes, StoredTimes, TransactionTimes, unix_milliseconds},
    transactions::TransactionLocation,
};

use crate::{
    AcceptedTx, BlockRecord, Database, PasserProof, StorageError, WithdrawalRecord,
    sql::{encoded, for_rows, signed, unsigned},
};

/// What of the journal goes into the index next, in the order of its fields.
#[derive(Clone, Debug, Default)]
pub struct IndexBatch {
    /// How far they have come then: the sequence after the last part of the newest block that is indexed.
    pub to: u64,
    /// What is taken back, first of all.
    pub rewind: Option<IndexRewind>,
    /// Transactions that wait.
    pub accepted: Vec<AcceptedTx>,
    /// Sealed blocks, in order. Their transactions do not wait any more.
    pub blocks: Vec<SealedBlock>,
    /// Transactions that will not run, each with the reason. They do not wait any more.
    pub refused: Vec<(B256, String)>,
}

/// An end of the chain that is taken out of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexRewind {
    /// Blocks from this one on are void.
    pub first_block: u64,
    /// Why.
    pub reason: String,
    /// All their transactions, deposits included, each with its block.
    pub reorged: Vec<(B256, u64)>,
}

/// A sealed block as the index holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedBlock {
    /// Rows of the journal from that of its first part to that of its last, the end excluded.
    pub rows: Range<u64>,
    /// Its hash.
    pub hash: B256,
    /// Header, transactions and receipts.
    pub block: BlockRecord,
    /// Hashes of its transactions, deposits included, in order.
    pub hashes: Vec<B256>,
    /// What it is found by.
    pub block_keys: BlockKeys,
    /// The message passer's account in the state after it.
    pub passer_proof: PasserProof,
    /// The messages to L1 that it sends, in order.
    pub withdrawals: Vec<WithdrawalRecord>,
    /// When its hash was written, and its parts. See also [`Database::note_sealed`].
    pub times: StoredTimes,
}

/// Tables that follow from the journal.
const TABLES: [&str; 11] = [
    "DELETE FROM blocks",
    "DELETE FROM transactions",
    "DELETE FROM transaction_runs",
    "DELETE FROM pending",
    "DELETE FROM refused",
    "DELETE FROM reorgs",
    "DELETE FROM reorged_transactions",
    "DELETE FROM withdrawals",
    "DELETE FROM passer_proofs",
    "DELETE FROM block_keys",
    "DELETE FROM block_postings",
];

impl Database {
    /// Takes a batch into the index: all of it or nothing.
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
            return Err(refusal(&mut tx, index.epoch, batch.to).await?);
        }
        if let Some(rewind_to) = &batch.rewind {
            rewind(&mut tx, rewind_to).await?;
        }
        let included = batch.blocks.iter().flat_map(|block| &block.hashes).copied();
        let gone: Vec<_> = included.chain(batch.refused.iter().map(|(hash, _)| *hash)).collect();
        // Before others wait in their places, and once more, as they may have come again themselves.
        settle(&mut tx, &gone).await?;
        accept(&mut tx, &batch.accepted).await?;
        insert_blocks(&mut tx, &batch.blocks).await?;
        settle(&mut tx, &gone).await?;
        for_rows::<2, _>(
            &mut tx,
            "INSERT INTO refused (hash, reason) VALUES ? ON CONFLICT (hash) DO UPDATE SET reason = excluded.reason",
            &last_of_each(&batch.refused),
            |query, (hash, reason)| query.bind(hash.to_vec()).bind(reason.clone()),
        )
        .await?;
        Ok(tx.commit().await?)
    }

    /// Sequence up to which the journal is in the index, itself excluded.
    pub async fn indexed_to(&self) -> Result<u64, StorageError> {
        let row = sqlx::query("SELECT sequence FROM index_cursor")
            .fetch_one(&self.index_database().readers)
            .await?;
        Ok(unsigned(row.try_get(0)?))
    }

    /// Empties the index, so that they are written anew from the first row on.
    pub async fn clear_index(&self) -> Result<(), StorageError> {
        let mut writer = self.index_database().writer().await?;
        let mut tx = writer.begin().await?;
        for delete in TABLES {
            sqlx::query(delete).execute(&mut *tx).await?;
        }
        sqlx::query("UPDATE index_cursor SET sequence = 0").execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// Adds the genesis block, which no row stands for, to the index. Once is enough.
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

/// Why the index does not go on to row `to`.
async fn refusal(
    tx: &mut AnyConnection,
    epoch: u64,
    to: u64,
) -> Result<StorageError, StorageError> {
    let row = sqlx::query("SELECT sequence, epoch FROM index_cursor").fetch_one(tx).await?;
    let (sequence, found) = (unsigned(row.try_get(0)?), unsigned(row.try_get(1)?));
    Ok(if found == epoch {
        let reason = format!("the index has come to row {sequence} already");
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

/// Puts transactions on the pending list.
async fn accept(tx: &mut AnyConnection, accepted: &[AcceptedTx]) -> Result<(), StorageError> {
    if accepted.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = accepted.iter().map(|tx| (keccak256(&tx.tx.raw), tx)).collect();
    let hashes: Vec<_> = rows.iter().map(|(hash, _)| *hash).collect();
    // What waits may be told of twice, and what was refused may come again.
    delete(tx, "DELETE FROM pending WHERE hash IN (VALUES ?)", &hashes).await?;
    delete(tx, "DELETE FROM refused WHERE hash IN (VALUES ?)", &hashes).await?;
    for_rows::<5, _>(
        tx,
        "INSERT INTO pending (arrival, hash, sender, raw, received_ms) VALUES ?",
        &rows,
        |query, (hash, AcceptedTx { arrival, received_ms, tx })| {
            let query = query.bind(signed(*arrival)).bind(hash.to_vec());
            query.bind(tx.sender.to_vec()).bind(tx.raw.to_vec()).bind(signed(*received_ms))
        },
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

/// Takes transactions off the pending list.
async fn settle(tx: &mut AnyConnection, hashes: &[B256]) -> Result<(), StorageError> {
    // Most run at once, so that few ever wait.
    let waiting =
        sqlx::query("SELECT arrival FROM pending LIMIT 1").fetch_optional(&mut *tx).await?;
    if waiting.is_none() {
        return Ok(());
    }
    delete(tx, "DELETE FROM pending WHERE hash IN (VALUES ?)", hashes).await
}

async fn delete(tx: &mut AnyConnection, sql: &str, hashes: &[B256]) -> Result<(), StorageError> {
    for_rows::<1, _>(tx, sql, hashes, |query, hash| query.bind(hash.to_vec())).await
}

/// One row may change once in a statement.
fn last_of_each(refused: &[(B256, String)]) -> Vec<(B256, String)> {
    let last: std::collections::BTreeMap<_, _> = refused.iter().cloned().collect();
    last.into_iter().collect()
}
