//! The tx manager's store in the batcher's database.
//!
//! # Format
//!
//! A transaction is stored with its purpose as text: `batches 12 to 13 from 0x… to 0x…` names the
//! batches, and the content chain before and after them; `none` stands for a cancellation.
//!
//! Blobs are not stored: they are made again from the recorded batches.

use std::{fmt, sync::Arc};

use alloy_primitives::B256;
use tracing::warn;
use turnpike_l1::{AppendCall, BlobSidecar, L1Error};
use turnpike_storage::{Database, OutboxBatch, SignedTransaction, SigningRole, StorageError};
use turnpike_tx_manager::{RecordedTx, SentTx, TxManager, TxPurpose, TxStore};

use crate::{CrashPlan, CrashPoint, PlannedCrash, items::ItemCache};

/// The batcher's tx manager.
pub(crate) type BatcherTxManager = TxManager<BatchPurpose, BatchStore>;

/// The batches that a transaction appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BatchPurpose {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// The content chain before and after them.
    content_before: B256,
    content: B256,
}

impl TxPurpose for BatchPurpose {
    fn is_chained(&self) -> bool {
        true
    }
}

/// How the purpose of a transaction that cancels a nonce is stored.
const CANCELLATION: &str = "none";

impl BatchPurpose {
    /// Appends these batches, which follow one another. `None` for none.
    pub(crate) fn of(batches: &[OutboxBatch]) -> Option<Self> {
        let (first, last) = batches.first().zip(batches.last())?;
        Some(Self {
            first: first.number,
            last: last.number,
            content_before: first.content_before,
            content: last.content,
        })
    }

    fn from_text(text: &str) -> Option<Self> {
        let words = text.split(' ').collect::<Vec<_>>();
        let ["batches", first, "to", last, "from", content_before, "to", content] = words[..]
        else {
            return None;
        };
        Some(Self {
            first: first.parse().ok()?,
            last: last.parse().ok()?,
            content_before: content_before.parse().ok()?,
            content: content.parse().ok()?,
        })
    }

    /// How many batches it appends.
    pub(crate) const fn count(&self) -> u64 {
        self.last - self.first + 1
    }

    /// Whether it appends the batch.
    pub(crate) const fn holds(&self, number: u64) -> bool {
        self.first <= number && number <= self.last
    }
}

impl fmt::Display for BatchPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, content_before, content } = self;
        write!(f, "batches {first} to {last} from {content_before} to {content}")
    }
}

/// Keeps signed transactions in the batcher's database.
#[derive(Debug)]
pub(crate) struct BatchStore {
    database: Arc<Database>,
    items: ItemCache,
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
    pub(crate) const fn new(database: Arc<Database>, items: ItemCache, faults: CrashPlan) -> Self {
        Self { database, items, faults }
    }

    /// A recorded transaction with its purpose; `None` if the purpose is unknown.
    fn recorded(signed: SignedTransaction) -> Option<RecordedTx<BatchPurpose>> {
        let SignedTransaction { l1_transaction, purpose: text, deadline, l1_block, raw, .. } =
            signed;
        let purpose = BatchPurpose::from_text(&text);
        if purpose.is_none() && text != CANCELLATION {
            warn!(%l1_transaction, purpose = text, "ignoring a recorded transaction of unknown purpose");
            return None;
        }
        Some(RecordedTx { l1_transaction, purpose, deadline, l1_block, raw })
    }

    /// The recorded batches that a transaction appends; `None` if others took their place.
    async fn batches(
        &self,
        purpose: &BatchPurpose,
    ) -> Result<Option<Vec<OutboxBatch>>, StorageError> {
        let mut batches = Vec::new();
        for number in purpose.first..=purpose.last {
            let batch = self.database.batch(number).await?;
            batches.extend(batch.filter(|batch| !batch.data.is_empty()));
        }
        let is_whole = BatchPurpose::of(&batches).as_ref() == Some(purpose)
            && batches.len() as u64 == purpose.last - purpose.first + 1;
        Ok(is_whole.then_some(batches))
    }
}

impl TxStore<BatchPurpose> for BatchStore {
    type Error = BatchStoreError;

    async fn load(&self) -> Result<Vec<RecordedTx<BatchPurpose>>, BatchStoreError> {
        let signed = self.database.signed(SigningRole::Batcher).await?;
        Ok(signed.into_iter().filter_map(Self::recorded).collect())
    }

    async fn sidecar(
        &self,
        purpose: &BatchPurpose,
    ) -> Result<Option<BlobSidecar>, BatchStoreError> {
        let Some(batches) = self.batches(purpose).await? else { return Ok(None) };
        let mut items = Vec::with_capacity(batches.len());
        for batch in &batches {
            items.push(self.items.item(batch).await?);
        }
        Ok(AppendCall::new(purpose.content_before, &items).sidecar)
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
        let (content_before, content) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let purpose = BatchPurpose { first: 12, last: 13, content_before, content };
        assert_eq!(BatchPurpose::from_text(&purpose.to_string()), Some(purpose));
        for text in ["batches 12", CANCELLATION, "batches x to 13 from 0x1 to 0x2"] {
            assert_eq!(BatchPurpose::from_text(text), None, "{text}");
        }
    }
}
