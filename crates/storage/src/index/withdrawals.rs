//! Withdrawals, and proofs of the message passer's account.

use alloy_primitives::B256;
use alloy_rlp::Decodable;
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Database, PasserProof, StorageError, WithdrawalRecord,
    sql::{encoded, signed, unsigned},
};

impl Database {
    /// Reads the proof of the message passer's account after a block; `None` if it was dropped.
    pub async fn passer_proof(&self, block: u64) -> Result<Option<PasserProof>, StorageError> {
        let row = sqlx::query("SELECT payload FROM passer_proofs WHERE block = $1")
            .bind(signed(block))
            .fetch_optional(&self.index_database().readers)
            .await?;
        row.map(|row| decode(row.try_get(0)?, "passer_proofs", block)).transpose()
    }

    /// Marks the proof after a block to be kept forever. Stores `proof` first if there is none.
    pub async fn keep_passer_proof(
        &self,
        block: u64,
        proof: Option<&PasserProof>,
    ) -> Result<(), StorageError> {
        let mut writer = self.index_database().writer().await?;
        if let Some(proof) = proof {
            sqlx::query(
                "INSERT INTO passer_proofs (block, payload) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            )
            .bind(signed(block))
            .bind(encoded(proof))
            .execute(&mut *writer)
            .await?;
        }
        sqlx::query("UPDATE passer_proofs SET kept = 1 WHERE block = $1")
            .bind(signed(block))
            .execute(&mut *writer)
            .await?;
        Ok(())
    }

    /// Deletes the proofs after the blocks from `from` to `to`, both included, but not the kept
    /// ones.
    pub async fn drop_passer_proofs(&self, from: u64, to: u64) -> Result<(), StorageError> {
        let mut writer = self.index_database().writer().await?;
        sqlx::query("DELETE FROM passer_proofs WHERE block >= $1 AND block <= $2 AND kept = 0")
            .bind(signed(from))
            .bind(signed(to))
            .execute(&mut *writer)
            .await?;
        Ok(())
    }

    /// Reads a withdrawal and the number of its block.
    pub async fn withdrawal(
        &self,
        hash: &B256,
    ) -> Result<Option<(u64, WithdrawalRecord)>, StorageError> {
        let row = sqlx::query("SELECT block, payload FROM withdrawals WHERE hash = $1")
            .bind(hash.as_slice())
            .fetch_optional(&self.index_database().readers)
            .await?;
        row.as_ref().map(read_withdrawal).transpose()
    }

    /// Reads at most `limit` withdrawals of an L2 transaction, in order, each with its block's
    /// number.
    pub async fn withdrawals_of(
        &self,
        transaction: &B256,
        limit: u32,
    ) -> Result<Vec<(u64, WithdrawalRecord)>, StorageError> {
        let rows = sqlx::query(
            "SELECT block, payload FROM withdrawals WHERE l2_transaction = $1 LIMIT $2",
        )
        .bind(transaction.as_slice())
        .bind(i64::from(limit))
        .fetch_all(&self.index_database().readers)
        .await?;
        let mut found: Vec<_> = rows.iter().map(read_withdrawal).collect::<Result<_, _>>()?;
        found.sort_by_key(|(_, withdrawal)| withdrawal.nonce);
        Ok(found)
    }

    /// Returns the hashes of all withdrawals in the blocks up to `block`, itself included.
    pub async fn withdrawal_hashes(&self, block: u64) -> Result<Vec<B256>, StorageError> {
        let rows = sqlx::query("SELECT hash FROM withdrawals WHERE block <= $1")
            .bind(signed(block))
            .fetch_all(&self.index_database().readers)
            .await?;
        rows.iter().map(|row| Ok(B256::right_padding_from(row.try_get(0)?))).collect()
    }
}

fn read_withdrawal(row: &AnyRow) -> Result<(u64, WithdrawalRecord), StorageError> {
    let block = unsigned(row.try_get(0)?);
    Ok((block, decode(row.try_get(1)?, "withdrawals", block)?))
}

fn decode<T: Decodable>(
    mut payload: &[u8],
    table: &'static str,
    key: u64,
) -> Result<T, StorageError> {
    T::decode(&mut payload).map_err(|error| StorageError::Damaged {
        table,
        key,
        reason: error.to_string(),
    })
}
