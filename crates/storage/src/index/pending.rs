//! Accepted transactions that are in no block.

use alloy_primitives::{Address, B256};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    AcceptedTx, Database, JournalTx, StorageError,
    sql::{bytes, unsigned},
};

impl Database {
    /// Reads the accepted transactions that wait for execution, in order of arrival.
    pub async fn pending(&self) -> Result<Vec<AcceptedTx>, StorageError> {
        let rows =
            sqlx::query("SELECT arrival, sender, raw, received_ms FROM pending ORDER BY arrival")
                .fetch_all(&self.index_database().readers)
                .await?;
        let read = |row: &AnyRow| {
            let sender = Address::right_padding_from(row.try_get(1)?);
            let tx = JournalTx { raw: bytes(row.try_get(2)?), sender };
            let (arrival, received_ms) = (unsigned(row.try_get(0)?), unsigned(row.try_get(3)?));
            Ok(AcceptedTx { arrival, received_ms, tx })
        };
        rows.iter().map(read).collect()
    }

    /// Returns why an accepted transaction was refused, if it was.
    pub async fn refusal(&self, hash: &B256) -> Result<Option<String>, StorageError> {
        let row = sqlx::query("SELECT reason FROM refused WHERE hash = $1")
            .bind(hash.as_slice())
            .fetch_optional(&self.index_database().readers)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }
}
