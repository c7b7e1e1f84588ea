//! Accepted transactions that will not be executed.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use sqlx::{AnyConnection, Row as _};

use crate::{Database, StorageError, sql::for_rows};

impl Database {
    /// Returns why an accepted transaction was refused, if it was.
    pub async fn refusal(&self, hash: &B256) -> Result<Option<String>, StorageError> {
        let row = sqlx::query("SELECT reason FROM refused WHERE hash = $1")
            .bind(hash.as_slice())
            .fetch_optional(&self.index_database().readers)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }
}

/// Removes transactions that were accepted again.
pub(super) async fn remove(tx: &mut AnyConnection, accepted: &[B256]) -> Result<(), StorageError> {
    let delete = "DELETE FROM refused WHERE hash IN (VALUES ?)";
    for_rows::<1, _>(tx, delete, accepted, |query, hash| query.bind(hash.to_vec())).await
}

/// Adds transactions with their reasons. The last reason of a transaction counts.
pub(super) async fn insert(
    tx: &mut AnyConnection,
    refused: &[(B256, String)],
) -> Result<(), StorageError> {
    // A statement may not change one row twice.
    let last: BTreeMap<_, _> = refused.iter().map(|(hash, reason)| (hash, reason)).collect();
    for_rows::<2, _>(
        tx,
        "INSERT INTO refused (hash, reason) VALUES ? ON CONFLICT (hash) DO UPDATE SET reason = excluded.reason",
        &last.into_iter().collect::<Vec<_>>(),
        |query, (hash, reason)| query.bind(hash.to_vec()).bind((*reason).clone()),
    )
    .await
}
