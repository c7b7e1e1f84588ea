mod sent;

use alloy_primitives::{B256, Bytes, U256};
use sqlx::{AnyConnection, Connection as _, Row as _, any::AnyRow};
use turnpike_protocol::DataKind;

pub use sent::SentTransaction;

use crate::{
    Database, StorageError,
    sql::{bytes, signed, unsigned},
};

/// The batch that an inbox entry is meant to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxBatch {
    /// The entry.
    pub entry: u64,
    /// Accumulator of the entry before it: on top of another one L1 does not take it.
    pub previous_acc: B256,
    /// First block it holds.
    pub first_block: u64,
    /// Last block it holds.
    pub last_block: u64,
    /// L2 hash of that block: while the journal has it, the batch is the journal's.
    pub last_hash: B256,
    /// Transactions it holds, deposits apart.
    pub transactions: u64,
    /// Entry that its blocks have as origin.
    pub origin: u64,
    /// Deposits consumed after it, counted from the first one ever.
    pub deposit_count: u64,
    /// Accumulator over that many deposits.
    pub deposit_acc: B256,
    /// Where its data goes.
    pub kind: DataKind,
    /// Commitment to what L1 holds of it.
    pub data_hash: B256,
    /// Bytes of the batch.
    pub data_bytes: u64,
    /// The batch; empty once the entry is confirmed.
    pub data: Bytes,
    /// Whether L1 has held it for so long that it is not looked at any more.
    pub confirmed: bool,
    /// What became of it on L1.
    pub inclusion: Option<Inclusion>,
}

/// What L1 holds of a batch, and what that cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The transaction.
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
    /// What it cost, in wei.
    pub fn cost(&self) -> U256 {
        let product = |gas: u64, price: u64| U256::from(gas) * U256::from(price);
        product(self.gas_used, self.gas_price) + product(self.blob_gas_used, self.blob_gas_price)
    }
}

/// A transaction that was signed for a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its hash.
    pub l1_transaction: B256,
    /// Entry that it is meant to append.
    pub entry: u64,
    /// Its nonce.
    pub nonce: u64,
    /// Where its data is.
    pub kind: DataKind,
    /// Gas that it may use.
    pub gas_limit: u64,
    /// Most that it pays per gas, in wei.
    pub max_fee_per_gas: u64,
    /// Most that it pays per gas on top of the base fee, in wei.
    pub max_priority_fee_per_gas: u64,
    /// Most that it pays per blob gas, in wei.
    pub max_fee_per_blob_gas: u64,
    /// Newest L1 block when it was signed.
    pub l1_block: u64,
    /// Its EIP-2718 bytes, as blocks hold them: blobs are made from the batch again.
    pub raw: Bytes,
}

/// What an entry derives, as the journal was seen to hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerivedRecord {
    /// The entry.
    pub entry: u64,
    /// Accumulator after it: it binds all before.
    pub acc: B256,
    /// First block.
    pub first_block: u64,
    /// Last block.
    pub last_block: u64,
    /// Timestamp of the last block, in seconds.
    pub last_timestamp: u64,
    /// Origin of the last block.
    pub last_origin: Option<u64>,
    /// L2 hash of the last block.
    pub last_hash: B256,
}

impl Database {
    /// Records a batch and the first transaction for it, before that is broadcast; another batch for the same entry gives
    /// way. All of it or nothing.
    pub async fn record_batch(
        &self,
        batch: &OutboxBatch,
        attempt: &Attempt,
    ) -> Result<(), StorageError> {
        let mut writer = self.writer().await?;
        let mut tx = writer.connection().begin().await?;
        sqlx::query("DELETE FROM batches WHERE entry = $1")
            .bind(signed(batch.entry))
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO batches (entry, previous_acc, first_block, last_block, last_hash, transactions, origin,
                 deposit_count, deposit_acc, data_kind, data_hash, data_bytes, data)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(signed(batch.entry))
        .bind(batch.previous_acc.to_vec())
        .bind(signed(batch.first_block))
        .bind(signed(batch.last_block))
        .bind(batch.last_hash.to_vec())
        .bind(signed(batch.transactions))
        .bind(signed(batch.origin))
        .bind(signed(batch.deposit_count))
        .bind(batch.deposit_acc.to_vec())
        .bind(i64::from(batch.kind.as_u8()))
        .bind(batch.data_hash.to_vec())
        .bind(signed(batch.data_bytes))
        .bind(batch.data.to_vec())
        .execute(&mut *tx)
        .await?;
        insert_attempt(&mut tx, attempt).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Records another transaction for a batch, before it is broadcast.
    pub async fn record_attempt(&self, attempt: &Attempt) -> Result<(), StorageError> {
        let mut writer = self.writer().await?;
        let mut tx = writer.connection().begin().await?;
        insert_attempt(&mut tx, attempt).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The batch of an entry.
    pub async fn batch(&self, entry: u64) -> Result<Option<OutboxBatch>, StorageError> {
        let row = sqlx::query("SELECT * FROM batches WHERE entry = $1")
            .bind(signed(entry))
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_batch).transpose()
    }

    /// The batches that are not confirmed, in order, without their data.
    pub async fn unconfirmed_batches(&self) -> Result<Vec<OutboxBatch>, StorageError> {
        let rows = sqlx::query(
            "SELECT entry, previous_acc, first_block, last_block, last_hash, transactions, origin, deposit_count,
                 deposit_acc, data_kind, data_hash, data_bytes, substr(data, 1, 0) AS data, confirmed, l1_transaction,
                 l1_block, gas_used, gas_price, blob_gas_used, blob_gas_price
             FROM batches WHERE confirmed = 0 ORDER BY entry",
        )
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(read_batch).collect()
    }

    /// Every transaction that was signed and whose nonce was not used up for good, in the order of signing, without its
    /// bytes.
    pub async fn attempts(&self) -> Result<Vec<Attempt>, StorageError> {
        let rows = sqlx::query(
            "SELECT l1_transaction, attempt, entry, nonce, data_kind, gas_limit, max_fee_per_gas,
                 max_priority_fee_per_gas, max_fee_per_blob_gas, l1_block, substr(raw, 1, 0) AS raw
             FROM attempts ORDER BY attempt",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read_attempt).collect()
    }

    /// The newest transaction that was signed for an entry, with its bytes.
    pub async fn newest_attempt(&self, entry: u64) -> Result<Option<Attempt>, StorageError> {
        let row =
            sqlx::query("SELECT * FROM attempts WHERE entry = $1 ORDER BY attempt DESC LIMIT 1")
                .bind(signed(entry))
                .fetch_optional(&self.readers)
                .await?;
        row.as_ref().map(read_attempt).transpose()
    }

    /// Records that L1 holds a batch, or with `None` that it does not hold it any more.
    pub async fn record_inclusion(
        &self,
        entry: u64,
        inclusion: Option<&Inclusion>,
    ) -> Result<(), StorageError> {
        sqlx::query(
            "UPDATE batches SET l1_transaction = $2, l1_block = $3, gas_used = $4, gas_price = $5,
                 blob_gas_used = $6, blob_gas_price = $7 WHERE entry = $1",
        )
        .bind(signed(entry))
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

    /// Records that an entry is confirmed: its batch's data is dropped, and so are all transactions with nonces below
    /// `nonce`.
    pub async fn confirm_batch(&self, entry: u64, nonce: u64) -> Result<(), StorageError> {
        let mut writer = self.writer().await?;
        let mut tx = writer.connection().begin().await?;
        sqlx::query("UPDATE batches SET confirmed = 1, data = $2 WHERE entry = $1")
            .bind(signed(entry))
            .bind(Vec::<u8>::new())
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM attempts WHERE nonce < $1")
            .bind(signed(nonce))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Forgets a batch: L1 holds another one in its place. What was signed for it stays until its nonce is used up.
    pub async fn forget_batch(&self, entry: u64) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM batches WHERE entry = $1")
            .bind(signed(entry))
            .execute(self.writer().await?.connection())
            .await?;
        Ok(())
    }

    /// Records what an entry derives.
    pub async fn record_derived(&self, derived: &DerivedRecord) -> Result<(), StorageError> {
        let mut writer = self.writer().await?;
        let mut tx = writer.connection().begin().await?;
        // What came after another entry in its place is void.
        sqlx::query("DELETE FROM derived WHERE entry >= $1")
            .bind(signed(derived.entry))
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO derived (entry, acc, first_block, last_block, last_timestamp, last_origin, last_hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(signed(derived.entry))
        .bind(derived.acc.to_vec())
        .bind(signed(derived.first_block))
        .bind(signed(derived.last_block))
        .bind(signed(derived.last_timestamp))
        .bind(derived.last_origin.map(signed))
        .bind(derived.last_hash.to_vec())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// What an entry derives.
    pub async fn derived(&self, entry: u64) -> Result<Option<DerivedRecord>, StorageError> {
        let row = sqlx::query("SELECT * FROM derived WHERE entry = $1")
            .bind(signed(entry))
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_derived).transpose()
    }
}

async fn insert_attempt(tx: &mut AnyConnection, attempt: &Attempt) -> Result<(), StorageError> {
    sqlx::query(
        "INSERT INTO attempts (l1_transaction, attempt, entry, nonce, data_kind, gas_limit, max_fee_per_gas,
             max_priority_fee_per_gas, max_fee_per_blob_gas, l1_block, raw)
         VALUES ($1, (SELECT COALESCE(MAX(attempt), 0) + 1 FROM attempts), $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (l1_transaction) DO NOTHING",
    )
    .bind(attempt.l1_transaction.to_vec())
    .bind(signed(attempt.entry))
    .bind(signed(attempt.nonce))
    .bind(i64::from(attempt.kind.as_u8()))
    .bind(signed(attempt.gas_limit))
    .bind(signed(attempt.max_fee_per_gas))
    .bind(signed(attempt.max_priority_fee_per_gas))
    .bind(signed(attempt.max_fee_per_blob_gas))
    .bind(signed(attempt.l1_block))
    .bind(attempt.raw.to_vec())
    .execute(tx)
    .await?;
    Ok(())
}

fn read_batch(row: &AnyRow) -> Result<OutboxBatch, StorageError> {
    let number = |name: &str| Ok::<_, StorageError>(unsigned(row.try_get(name)?));
    let hash = |name: &str| Ok::<_, StorageError>(B256::right_padding_from(row.try_get(name)?));
    let entry = number("entry")?;
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
        entry,
        previous_acc: hash("previous_acc")?,
        first_block: number("first_block")?,
        last_block: number("last_block")?,
        last_hash: hash("last_hash")?,
        transactions: number("transactions")?,
        origin: number("origin")?,
        deposit_count: number("deposit_count")?,
        deposit_acc: hash("deposit_acc")?,
        kind: kind("batches", entry, row)?,
        data_hash: hash("data_hash")?,
        data_bytes: number("data_bytes")?,
        data: bytes(row.try_get("data")?),
        confirmed: row.try_get::<i64, _>("confirmed")? != 0,
        inclusion,
    })
}

fn read_attempt(row: &AnyRow) -> Result<Attempt, StorageError> {
    let number = |name: &str| Ok::<_, StorageError>(unsigned(row.try_get(name)?));
    Ok(Attempt {
        l1_transaction: B256::right_padding_from(row.try_get("l1_transaction")?),
        entry: number("entry")?,
        nonce: number("nonce")?,
        kind: kind("attempts", number("attempt")?, row)?,
        gas_limit: number("gas_limit")?,
        max_fee_per_gas: number("max_fee_per_gas")?,
        max_priority_fee_per_gas: number("max_priority_fee_per_gas")?,
        max_fee_per_blob_gas: number("max_fee_per_blob_gas")?,
        l1_block: number("l1_block")?,
        raw: bytes(row.try_get("raw")?),
    })
}

fn read_derived(row: &AnyRow) -> Result<DerivedRecord, StorageError> {
    let number = |name: &str| Ok::<_, StorageError>(unsigned(row.try_get(name)?));
    Ok(DerivedRecord {
        entry: number("entry")?,
        acc: B256::right_padding_from(row.try_get("acc")?),
        first_block: number("first_block")?,
        last_block: number("last_block")?,
        last_timestamp: number("last_timestamp")?,
        last_origin: row.try_get::<Option<i64>, _>("last_origin")?.map(unsigned),
        last_hash: B256::right_padding_from(row.try_get("last_hash")?),
    })
}

fn kind(table: &'static str, key: u64, row: &AnyRow) -> Result<DataKind, StorageError> {
    let byte: i64 = row.try_get("data_kind")?;
    let kind = u8::try_from(byte).ok().and_then(DataKind::from_u8);
    let reason = || format!("there is no data kind {byte}");
    kind.ok_or_else(|| StorageError::Damaged { table, key, reason: reason() })
}
