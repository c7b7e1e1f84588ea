//! The tx manager's store in the batcher's database.
//!
//! # Format
//!
//! A transaction is stored with its purpose as text: `entry 12 after 0x… with 0x…` names the entry,
//! the accumulator before it and the commitment to its data; `none` stands for a cancellation. A row
//! from before migration 6 names the entry only, as in `entry 12`: its purpose is the batch that is
//! recorded for the entry.
//!
//! Blobs are not stored: they are made again from the recorded batch.

use std::{fmt, sync::Arc};

use alloy_primitives::B256;
use tracing::warn;
use turnpike_l1::{BlobSidecar, L1Error};
use turnpike_storage::{Database, OutboxBatch, SignedTransaction, SigningRole, StorageError};
use turnpike_tx_manager::{RecordedTx, SentTx, TxManager, TxPurpose, TxStore};

use crate::{CrashPlan, CrashPoint, PlannedCrash, calls::CallCache};

/// The batcher's tx manager.
pub(crate) type BatcherTxManager = TxManager<BatchPurpose, BatchStore>;

/// The batch that a transaction appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BatchPurpose {
    entry: u64,
    previous_acc: B256,
    data_hash: B256,
}

impl TxPurpose for BatchPurpose {}

/// How the purpose of a transaction that cancels a nonce is stored.
const CANCELLATION: &str = "none";

impl BatchPurpose {
    pub(crate) const fn of(batch: &OutboxBatch) -> Self {
        let &OutboxBatch { entry, previous_acc, data_hash, .. } = batch;
        Self { entry, previous_acc, data_hash }
    }

    fn from_text(text: &str) -> Option<Self> {
        let words = text.split(' ').collect::<Vec<_>>();
        let ["entry", entry, "after", previous_acc, "with", data_hash] = words[..] else {
            return None;
        };
        Some(Self {
            entry: entry.parse().ok()?,
            previous_acc: previous_acc.parse().ok()?,
            data_hash: data_hash.parse().ok()?,
        })
    }
}

impl fmt::Display for BatchPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entry, previous_acc, data_hash } = self;
        write!(f, "entry {entry} after {previous_acc} with {data_hash}")
    }
}

/// Keeps signed transactions in the batcher's database.
#[derive(Debug)]
pub(crate) struct BatchStore {
    database: Arc<Database>,
    calls: CallCache,
    faults: CrashPlan,
}

/// Why the store fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchStoreError {
    #[error("the batcher's database failed")]
    Storage(#[from] StorageError),
    #[error("cannot make the blobs of a recorded batch")]
    Blobs(#[from] L1Error),
    #[error("the store crashed")]
    Crash(#[from] PlannedCrash),
}

impl BatchStore {
    pub(crate) const fn new(database: Arc<Database>, calls: CallCache, faults: CrashPlan) -> Self {
        Self { database, calls, faults }
    }

    /// A recorded transaction with its purpose; `None` if the purpose is unknown.
    async fn recorded(
        &self,
        signed: SignedTransaction,
    ) -> Result<Option<RecordedTx<BatchPurpose>>, StorageError> {
        let SignedTransaction { l1_transaction, purpose: text, deadline, l1_block, raw, .. } =
            signed;
        let purpose = if text == CANCELLATION {
            None
        } else if let Some(purpose) = BatchPurpose::from_text(&text) {
            Some(purpose)
        } else if let Some(purpose) = self.purpose_of_entry(&text).await? {
            Some(purpose)
        } else {
            warn!(%l1_transaction, purpose = text, "ignoring a recorded transaction of unknown purpose");
            return Ok(None);
        };
        Ok(Some(RecordedTx { l1_transaction, purpose, deadline, l1_block, raw }))
    }

    /// The purpose of a transaction from before migration 6, which names the entry only.
    async fn purpose_of_entry(&self, text: &str) -> Result<Option<BatchPurpose>, StorageError> {
        let entry = text.strip_prefix("entry ").and_then(|entry| entry.parse().ok());
        let Some(entry) = entry else { return Ok(None) };
        Ok(self.database.batch(entry).await?.as_ref().map(BatchPurpose::of))
    }
}

impl TxStore<BatchPurpose> for BatchStore {
    type Error = BatchStoreError;

    async fn load(&self) -> Result<Vec<RecordedTx<BatchPurpose>>, BatchStoreError> {
        let mut recorded = Vec::new();
        for signed in self.database.signed(SigningRole::Batcher).await? {
            recorded.extend(self.recorded(signed).await?);
        }
        Ok(recorded)
    }

    async fn sidecar(
        &self,
        purpose: &BatchPurpose,
    ) -> Result<Option<BlobSidecar>, BatchStoreError> {
        let batch = self.database.batch(purpose.entry).await?;
        let batch = batch.filter(|it| !it.data.is_empty() && BatchPurpose::of(it) == *purpose);
        let Some(batch) = batch else { return Ok(None) };
        Ok(self.calls.sidecar(&batch).await?)
    }

    async fn record(&self, sent: &SentTx<BatchPurpose>) -> Result<(), BatchStoreError> {
        self.faults.pass(CrashPoint::Signed)?;
        let purpose = sent.purpose.as_ref();
        let signed = SignedTransaction {
            l1_transaction: sent.tx.hash,
            nonce: sent.tx.nonce,
            purpose: purpose.map_or_else(|| CANCELLATION.to_owned(), ToString::to_string),
            deadline: sent.deadline,
            l1_block: sent.l1_block,
            raw: sent.tx.raw.clone(),
        };
        self.database.record_signed(SigningRole::Batcher, &signed).await?;
        Ok(self.faults.pass(CrashPoint::Recorded)?)
    }

    async fn forget(&self, l1_transaction: B256) -> Result<(), BatchStoreError> {
        Ok(self.database.forget_signed(l1_transaction).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_are_read_back_from_their_text() {
        let (previous_acc, data_hash) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let purpose = BatchPurpose { entry: 12, previous_acc, data_hash };
        assert_eq!(BatchPurpose::from_text(&purpose.to_string()), Some(purpose));
        for text in ["entry 12", CANCELLATION, "entry x after 0x1 with 0x2"] {
            assert_eq!(BatchPurpose::from_text(text), None, "{text}");
        }
    }
}
