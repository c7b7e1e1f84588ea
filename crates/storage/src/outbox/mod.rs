//! Signed L1 transactions, persisted before they are broadcast, and their known status.
//!
//! # Format
//!
//! Batcher and challenger write `signed_transactions` (every transaction that they signed and may
//! have broadcast). The batcher also writes `batches` (the batches of the inbox, byte for byte,
//! until they are confirmed) and `derived` (blocks of an entry that were checked against the journal).
//!
//! # Recovery
//!
//! A restart finds each transaction that may have been broadcast, and rebroadcasts or replaces it with
//! the same nonce. So no batch is posted twice and no nonce is lost.
//!
//! # Durability
//!
//! As for the journal: a record is durable when the call returns.

mod signed;

use alloy_primitives::{B256, Bytes, U256};
use sqlx::{Connection as _, Row as _, any::AnyRow};
use turnpike_protocol::DataKind;

pub use signed::{SignedTransaction, SigningRole};

use crate::{
    Database, StorageError,
    sql::{bytes, signed, unsigned},
};

/// A batch of the inbox's content chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxBatch {
    /// Number of the batch: those before it in the inbox, plus 1.
    pub number: u64,
    /// The content chain before it. The inbox refuses the batch after any other.
    pub content_before: B256,
    /// The content chain after it.
    pub content: B256,
    /// First block in it.
    pub first_block: u64,
    /// Last block in it.
    pub last_block: u64,
    /// Time of the last block, in milliseconds.
    pub last_time_ms: u64,
    /// L2 hash of the last block. While the journal has it, the batch matches the journal.
    pub last_hash: B256,
    /// Transactions in it, without deposits.
    pub transactions: u64,
    /// Entry that is the origin of its blocks.
    pub origin: u64,
    /// Accumulator after that entry.
    pub origin_acc: B256,
    /// Deposits that the chain has consumed after it, from the first one on.
    pub deposit_count: u64,
    /// Accumulator over these deposits.
    pub deposit_acc: B256,
    /// Where its data is posted.
    pub kind: DataKind,
    /// Commitment to its data on L1.
    pub data_hash: B256,
    /// Size of the batch, in bytes.
    pub data_bytes: u64,
    /// The batch; empty once it is confirmed.
    pub data: Bytes,
    /// Whether it is deep enough in L1 that the batcher no longer watches it.
    pub confirmed: bool,
    /// Its inclusion in L1, if it is included.
    pub inclusion: Option<Inclusion>,
}

/// The L1 transaction that posted a batch, and its cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// Hash of the transaction.
    pub l1_transaction: B256,
    /// The L1 block that holds it.
    pub l1_block: u64,
    /// Gas it used.
    pub gas_used: u64,
    /// Price paid per gas, in wei.
    pub gas_price: u64,
    /// Blob gas it used.
    pub blob_gas_used: u64,
    /// Price paid per blob gas, in wei.
    pub blob_gas_price: u64,
}

impl Inclusion {
    /// Cost, in wei.
    pub fn cost(&self) -> U256 {
        let product = |gas: u64, price: u64| U256::from(gas) * U256::from(price);
        product(self.gas_used, self.gas_price) + product(self.blob_gas_used, self.blob_gas_price)
    }
}

/// The blocks that an entry derives, after they were checked against the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerivedRecord {
    /// The entry.
    pub entry: u64,
    /// Accumulator after the entry. It authenticates all entries before.
    pub acc: B256,
    /// First block.
    pub first_block: u64,
    /// Last block.
    pub last_block: u64,
    /// Time of the last block, in milliseconds.
    pub last_time_ms: u64,
    /// Origin of the last block.
    pub last_origin: Option<u64>,
    /// L2 hash of the last block.
    pub last_hash: B256,
}

impl Database {
    /// Records a batch before a transaction for it is signed. Replaces another batch with its
    /// number.
    pub async fn record_batch(&self, batch: &OutboxBatch) -> Result<(), StorageError> {
        let mut writer = self.writer().await?;
        let mut tx = writer.connection().begin().await?;
        sqlx::query("DELETE FROM batches WHERE number = $1")
            .bind(signed(batch.number))
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO batches (number, content_before, content, first_block, last_block, last_time_ms, last_hash,
                 transactions, origin, origin_acc, deposit_count, deposit_acc, data_kind, data_hash, data_bytes, data)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        )
        .bind(signed(batch.number))
        .bind(batch.content_before.to_vec())
        .bind(batch.content.to_vec())
        .bind(signed(batch.first_block))
        .bind(signed(batch.last_block))
        .bind(signed(batch.last_time_ms))
        .bind(batch.last_hash.to_vec())
        .bind(signed(batch.transactions))
        .bind(signed(batch.origin))
        .bind(batch.origin_acc.to_vec())
        .bind(signed(batch.deposit_count))
        .bind(batch.deposit_acc.to_vec())
        .bind(i64::from(batch.kind.as_u8()))
        .bind(batch.data_hash.to_vec())
        .bind(signed(batch.data_bytes))
        .bind(batch.data.to_vec())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Reads a batch.
    pub async fn batch(&self, number: u64) -> Result<Option<OutboxBatch>, StorageError> {
        let row = sqlx::query("SELECT * FROM batches WHERE number = $1")
            .bind(signed(number))
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_batch).transpose()
    }

    /// Reads the unconfirmed batches, in order, without their data.
    pub async fn unconfirmed_batches(&self) -> Result<Vec<OutboxBatch>, StorageError> {
        let rows = sqlx::query(
            "SELECT number, content_before, content, first_block, last_block, last_time_ms, last_hash, transactions, origin,
                 origin_acc, deposit_count, deposit_acc, data_kind, data_hash, data_bytes, substr(data, 1, 0) AS data, confirmed, l1_transaction,
                 l1_block, gas_used, gas_price, blob_gas_used, blob_gas_price
             FROM batches WHERE confirmed = 0 ORDER BY number",
        )
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(read_batch).collect()
    }

    /// Records the inclusion of a batch; `None` records that a reorg removed it.
    pub async fn record_inclusion(
        &self,
        number: u64,
        inclusion: Option<&Inclusion>,
    ) -> Result<(), StorageError> {
        sqlx::query(
            "UPDATE batches SET l1_transaction = $2, l1_block = $3, gas_used = $4, gas_price = $5,
                 blob_gas_used = $6, blob_gas_price = $7 WHERE number = $1",
        )
        .bind(signed(number))
        .bind(inclusion.map(|inclusion| inclusion.l1_transaction.to_vec()))
        .bind(inclusion.map(|inclusion| signed(inclusion.l1_block)))
        .bind(inclusion.map(|inclusion| signed(inclusion.gas_used)))
        .bind(inclusion.map(|inclusion| signed(inclusion.gas_price)))
        .bind(inclusion.map(|inclusion| signed(inclusion.blob_gas_used)))
        .bind(inclusion.map(|inclusion| signed(inclusion.blob_gas_price)))
        .execute(self.writer().await?.connection())
        .await?;
        Ok(())
    }

    /// Moves a batch whose blocks have another place in a rewritten journal.
    pub async fn move_batch(&self, batch: &OutboxBatch) -> Result<(), StorageError> {
        sqlx::query(
            "UPDATE batches SET first_block = $2, last_block = $3, last_time_ms = $4, last_hash = $5 WHERE number = $1",
        )
        .bind(signed(batch.number))
        .bind(signed(batch.first_block))
        .bind(signed(batch.last_block))
        .bind(signed(batch.last_time_ms))
        .bind(batch.last_hash.to_vec())
        .execute(self.writer().await?.connection())
        .await?;
        Ok(())
    }

    /// Records that a batch is confirmed, and drops its data.
    pub async fn confirm_batch(&self, number: u64) -> Result<(), StorageError> {
        sqlx::query("UPDATE batches SET confirmed = 1, data = $2 WHERE number = $1")
            .bind(signed(number))
            .bind(Vec::<u8>::new())
            .execute(self.writer().await?.connection())
            .await?;
        Ok(())
    }

    /// Deletes this batch and all later ones: they cannot follow L1's content or the journal any
    /// more.
    pub async fn forget_batches(&self, number: u64) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM batches WHERE number >= $1")
            .bind(signed(number))
            .execute(self.writer().await?.connection())
            .await?;
        Ok(())
    }

    /// Records the blocks that an entry derives. Deletes the records of later entries.
    pub async fn record_derived(&self, derived: &DerivedRecord) -> Result<(), StorageError> {
        let mut writer = self.writer().await?;
        let mut tx = writer.connection().begin().await?;
        // Records of later entries were derived on top of the replaced one.
        sqlx::query("DELETE FROM derived WHERE entry >= $1")
            .bind(signed(derived.entry))
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO derived (entry, acc, first_block, last_block, last_time_ms, last_origin, last_hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(signed(derived.entry))
        .bind(derived.acc.to_vec())
        .bind(signed(derived.first_block))
        .bind(signed(derived.last_block))
        .bind(signed(derived.last_time_ms))
        .bind(derived.last_origin.map(signed))
        .bind(derived.last_hash.to_vec())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Reads the blocks that an entry derives.
    pub async fn derived(&self, entry: u64) -> Result<Option<DerivedRecord>, StorageError> {
        let row = sqlx::query("SELECT * FROM derived WHERE entry = $1")
            .bind(signed(entry))
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_derived).transpose()
    }
}

fn read_batch(row: &AnyRow) -> Result<OutboxBatch, StorageError> {
    let number = |name: &str| Ok::<_, StorageError>(unsigned(row.try_get(name)?));
    let hash = |name: &str| Ok::<_, StorageError>(B256::right_padding_from(row.try_get(name)?));
    let of_batch = number("number")?;
    let inclusion = match row.try_get::<Option<&[u8]>, _>("l1_transaction")? {
        None => None,
        Some(l1_transaction) => Some(Inclusion {
            l1_transaction: B256::right_padding_from(l1_transaction),
            l1_block: number("l1_block")?,
            gas_used: number("gas_used")?,
            gas_price: number("gas_price")?,
            blob_gas_used: number("blob_gas_used")?,
            blob_gas_price: number("blob_gas_price")?,
        }),
    };
    Ok(OutboxBatch {
        number: of_batch,
        content_before: hash("content_before")?,
        content: hash("content")?,
        first_block: number("first_block")?,
        last_block: number("last_block")?,
        last_time_ms: number("last_time_ms")?,
        last_hash: hash("last_hash")?,
        transactions: number("transactions")?,
        origin: number("origin")?,
        origin_acc: hash("origin_acc")?,
        deposit_count: number("deposit_count")?,
        deposit_acc: hash("deposit_acc")?,
        kind: read_data_kind(of_batch, row)?,
        data_hash: hash("data_hash")?,
        data_bytes: number("data_bytes")?,
        data: bytes(row.try_get("data")?),
        confirmed: row.try_get::<i64, _>("confirmed")? != 0,
        inclusion,
    })
}

fn read_derived(row: &AnyRow) -> Result<DerivedRecord, StorageError> {
    let number = |name: &str| Ok::<_, StorageError>(unsigned(row.try_get(name)?));
    Ok(DerivedRecord {
        entry: number("entry")?,
        acc: B256::right_padding_from(row.try_get("acc")?),
        first_block: number("first_block")?,
        last_block: number("last_block")?,
        last_time_ms: number("last_time_ms")?,
        last_origin: row.try_get::<Option<i64>, _>("last_origin")?.map(unsigned),
        last_hash: B256::right_padding_from(row.try_get("last_hash")?),
    })
}

fn read_data_kind(of_batch: u64, row: &AnyRow) -> Result<DataKind, StorageError> {
    let byte: i64 = row.try_get("data_kind")?;
    let kind = u8::try_from(byte).ok().and_then(DataKind::from_u8);
    kind.ok_or_else(|| StorageError::Damaged {
        table: "batches",
        key: of_batch,
        reason: format!("unknown data kind {byte}"),
    })
}
