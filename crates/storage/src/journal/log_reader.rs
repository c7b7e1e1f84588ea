//! Reads the [log of waiting transactions](super::waiting).

use alloy_primitives::{Address, B256, keccak256};
use sqlx::{Row as _, any::AnyRow};

use super::{AcceptedBytes, AcceptedTx, EncodedRow};
use crate::{
    Database, StorageError,
    sql::{bytes, signed, unsigned},
};

impl Database {
    /// Reads the log: the transactions that wait at the journal's end, by arrival. Fails if the
    /// bytes of one do not have its hash.
    pub async fn waiting(&self) -> Result<Vec<AcceptedTx>, StorageError> {
        let rows = sqlx::query(
            "SELECT hash, arrival, sender, received_ms, raw FROM waiting ORDER BY arrival, hash",
        )
        .fetch_all(&self.readers)
        .await?;
        let read = |row: &AnyRow| {
            let (arrival, raw) = (unsigned(row.try_get(1)?), row.try_get::<&[u8], _>(4)?);
            let hash = B256::right_padding_from(row.try_get(0)?);
            if !raw.is_empty() && keccak256(raw) != hash {
                let reason = format!("the bytes do not have the hash {hash}");
                return Err(StorageError::Damaged { table: "waiting", key: arrival, reason });
            }
            Ok(AcceptedTx {
                arrival,
                received_ms: unsigned(row.try_get(3)?),
                hash,
                sender: Address::right_padding_from(row.try_get(2)?),
                raw: AcceptedBytes::Log((!raw.is_empty()).then(|| bytes(raw))),
            })
        };
        rows.iter().map(read).collect()
    }

    /// Adds to rows, which follow each other, the bytes of the transactions that they accepted, as
    /// far as the log holds them.
    pub(super) async fn attach_waiting(&self, rows: &mut [EncodedRow]) -> Result<(), StorageError> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
        let first = first.sequence;
        let found = sqlx::query(
            "SELECT sequence, raw FROM waiting WHERE sequence >= $1 AND sequence <= $2 ORDER BY sequence, arrival",
        )
        .bind(signed(first))
        .bind(signed(last.sequence))
        .fetch_all(&self.readers)
        .await?;
        for row in found {
            let at = usize::try_from(unsigned(row.try_get(0)?) - first).unwrap_or(usize::MAX);
            let raw: &[u8] = row.try_get(1)?;
            if let Some(row) = rows.get_mut(at).filter(|_| !raw.is_empty()) {
                row.waiting.push(bytes(raw));
            }
        }
        Ok(())
    }
}
