use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::{Decodable as _, Encodable};
use sqlx::{Row as _, Sqlite, Transaction, sqlite::SqliteRow};

use crate::{
    BlockRecord, Database, JournalRecord, SealedBlock, StorageError, pending::remove_pending,
};

impl Database {
    /// Appends a sealed block with its look-ups, takes its transactions off the pending list and records those that
    /// were refused at its turn: all of it or nothing, durable on return.
    pub async fn append_block(
        &self,
        sealed: &SealedBlock,
        refused: &[(B256, String)],
    ) -> Result<(), StorageError> {
        let mut tx = self.writer().begin_with("BEGIN IMMEDIATE").await?;
        insert_block(&mut tx, sealed).await?;
        for (position, hash) in (0i64..).zip(&sealed.hashes) {
            // A batch of another's may have given a deposit this name before.
            sqlx::query(
                "INSERT INTO transactions (hash, block, position) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            )
            .bind(hash.as_slice())
            .bind(signed(sealed.record.number))
            .bind(position)
            .execute(&mut *tx)
            .await?;
            remove_pending(&mut tx, hash).await?;
        }
        for (hash, reason) in refused {
            crate::pending::refuse(&mut tx, hash, reason).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Adds the genesis block, which no journal record stands for, to the look-ups. Once is enough.
    pub async fn record_genesis(
        &self,
        hash: &B256,
        genesis: &BlockRecord,
    ) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO blocks (number, hash, payload) VALUES (0, $1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(hash.as_slice())
        .bind(encoded(genesis))
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Journal records from block `from` on, `limit` at most, in order.
    pub async fn journal(&self, from: u64, limit: u32) -> Result<Vec<JournalRecord>, StorageError> {
        let rows = sqlx::query(
            "SELECT sequence, payload, checksum FROM journal WHERE sequence >= $1 ORDER BY sequence LIMIT $2",
        )
        .bind(signed(from))
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read_record).collect()
    }
}

/// Inserts a block into journal and look-ups, the index of transactions excepted.
pub(crate) async fn insert_block(
    tx: &mut Transaction<'_, Sqlite>,
    sealed: &SealedBlock,
) -> Result<(), StorageError> {
    let SealedBlock { record, block, passer_proof, withdrawals, .. } = sealed;
    let payload = encoded(record);
    let number = signed(record.number);
    sqlx::query(
        "INSERT INTO journal (sequence, epoch, payload, checksum)
         VALUES ($1, (SELECT COALESCE(MAX(epoch), 0) FROM reorganisations), $2, $3)",
    )
    .bind(number)
    .bind(payload.as_slice())
    .bind(checksum(record.number, &payload).to_vec())
    .execute(&mut **tx)
    .await?;
    sqlx::query("INSERT INTO blocks (number, hash, payload) VALUES ($1, $2, $3)")
        .bind(number)
        .bind(record.hash.as_slice())
        .bind(encoded(block))
        .execute(&mut **tx)
        .await?;
    sqlx::query("INSERT INTO passer_proofs (block, payload) VALUES ($1, $2)")
        .bind(number)
        .bind(encoded(passer_proof))
        .execute(&mut **tx)
        .await?;
    for withdrawal in withdrawals {
        sqlx::query(
            "INSERT INTO withdrawals (hash, block, l2_transaction, payload) VALUES ($1, $2, $3, $4)",
        )
        .bind(withdrawal.hash.as_slice())
        .bind(number)
        .bind(withdrawal.transaction.as_slice())
        .bind(encoded(withdrawal))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

fn read_record(row: &SqliteRow) -> Result<JournalRecord, StorageError> {
    let sequence = unsigned(row.try_get(0)?);
    let payload: &[u8] = row.try_get(1)?;
    let damaged =
        |reason: String| StorageError::Damaged { table: "journal", key: sequence, reason };
    if row.try_get::<&[u8], _>(2)? != checksum(sequence, payload).as_slice() {
        return Err(damaged("checksum mismatch".into()));
    }
    let mut rest = payload;
    let record = JournalRecord::decode(&mut rest).map_err(|error| damaged(error.to_string()))?;
    if record.number != sequence || !rest.is_empty() {
        return Err(damaged("record of another block".into()));
    }
    Ok(record)
}

/// First eight bytes of the hash of sequence and payload: tells a torn or misplaced record.
fn checksum(sequence: u64, payload: &[u8]) -> [u8; 8] {
    let hash = keccak256([&sequence.to_be_bytes(), payload].concat());
    hash[..8].try_into().expect("invariant: a hash has eight bytes")
}

pub(crate) fn encoded(value: &impl Encodable) -> Vec<u8> {
    alloy_rlp::encode(value)
}

/// SQL integers are signed; block numbers and indexes stay far below the sign bit.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).expect("invariant: numbers stay below 2^63")
}

pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).expect("invariant: only non-negative numbers are stored")
}

pub(crate) fn bytes(raw: &[u8]) -> Bytes {
    Bytes::copy_from_slice(raw)
}
