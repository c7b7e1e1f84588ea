//! Stored times of blocks.

use alloy_rlp::Decodable as _;
use sqlx::Row as _;

use crate::{
    BlockTimes, Database, StorageError,
    sql::{signed, unsigned},
};

/// When a block reached each stage, in Unix milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredTimes {
    /// Writing of its hash.
    pub sealed_ms: Option<u64>,
    /// Writing of its parts.
    pub parts: BlockTimes,
}

impl Database {
    /// Reads the times of an indexed block. The genesis block has none.
    pub async fn block_times(&self, number: u64) -> Result<StoredTimes, StorageError> {
        let row = sqlx::query("SELECT sealed_ms, times FROM blocks WHERE number = $1")
            .bind(signed(number))
            .fetch_optional(&self.index_database().readers)
            .await?;
        let Some(row) = row else { return Ok(StoredTimes::default()) };
        let sealed_ms: Option<i64> = row.try_get(0)?;
        let times: Option<&[u8]> = row.try_get(1)?;
        let decode = |mut bytes: &[u8]| BlockTimes::decode(&mut bytes);
        let parts = times.map(decode).transpose().map_err(|error| StorageError::Damaged {
            table: "blocks",
            key: number,
            reason: format!("times: {error}"),
        })?;
        Ok(StoredTimes { sealed_ms: sealed_ms.map(unsigned), parts: parts.unwrap_or_default() })
    }

    /// Records when the hash of an indexed block was written, in Unix milliseconds.
    pub async fn note_sealed(&self, number: u64, sealed_ms: u64) -> Result<(), StorageError> {
        sqlx::query("UPDATE blocks SET sealed_ms = $1 WHERE number = $2")
            .bind(signed(sealed_ms))
            .bind(signed(number))
            .execute(&mut *self.index_database().writer().await?)
            .await?;
        Ok(())
    }
}
