//! The batches in flight as items of calls, kept so that commitments and proofs are computed once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::B256;
use turnpike_l1::{Append, AppendItem, EntryPayload, L1Error, ProofTables};
use turnpike_storage::OutboxBatch;

/// Items by their data's commitment, shared by the poster and the tx manager's store.
#[derive(Clone, Debug, Default)]
pub(crate) struct ItemCache {
    items: Arc<Mutex<BTreeMap<B256, AppendItem>>>,
}

impl ItemCache {
    /// Keeps the item of a batch.
    pub(crate) fn keep(&self, item: AppendItem) {
        self.lock().insert(item.content.data_hash, item);
    }

    /// The item of a recorded batch, with its proofs.
    pub(crate) async fn item(&self, batch: &OutboxBatch) -> Result<AppendItem, L1Error> {
        if let Some(item) = self.kept(batch) {
            return Ok(item);
        }
        let item = make_item(append_of(batch)).await?;
        self.keep(item.clone());
        Ok(item)
    }

    /// A recorded batch as L1 holds it. Computes no proofs.
    pub(crate) async fn payload(&self, batch: &OutboxBatch) -> Result<EntryPayload, L1Error> {
        match self.kept(batch) {
            Some(item) => Ok(item.payload),
            None => append_of(batch).payload().await,
        }
    }

    /// Drops the items of all other batches.
    pub(crate) fn retain(&self, data_hashes: &BTreeSet<B256>) {
        self.lock().retain(|data_hash, _| data_hashes.contains(data_hash));
    }

    fn kept(&self, batch: &OutboxBatch) -> Option<AppendItem> {
        let item = self.lock().get(&batch.data_hash).cloned()?;
        // The same data may be appended again with another origin.
        Some(append_of(batch).with_data_of(&item))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<B256, AppendItem>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Computes the item of a batch.
pub(crate) async fn make_item(append: Append) -> Result<AppendItem, L1Error> {
    append.item(ProofTables::Precomputed).await
}

fn append_of(batch: &OutboxBatch) -> Append {
    Append {
        deposit_count: batch.deposit_count,
        deposit_acc: batch.deposit_acc,
        origin: batch.origin,
        origin_acc: batch.origin_acc,
        kind: batch.kind,
        data: batch.data.clone(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use alloy_primitives::Bytes;
    use turnpike_protocol::DataKind;

    use super::*;

    pub(crate) fn batch(data: &'static [u8]) -> OutboxBatch {
        OutboxBatch {
            number: 1,
            content_before: B256::ZERO,
            content: B256::ZERO,
            first_block: 1,
            last_block: 1,
            last_time_ms: 0,
            last_hash: B256::ZERO,
            transactions: 0,
            origin: 0,
            origin_acc: B256::ZERO,
            deposit_count: 0,
            deposit_acc: B256::ZERO,
            kind: DataKind::Blobs,
            data_hash: B256::ZERO,
            data_bytes: data.len() as u64,
            data: Bytes::from_static(data),
            confirmed: false,
            inclusion: None,
        }
    }

    #[tokio::test]
    async fn commitments_and_proofs_of_a_batch_are_computed_once() {
        let items = ItemCache::default();
        let mut recorded = batch(b"a batch");
        let item = make_item(append_of(&recorded)).await.expect("fits a blob");
        items.keep(item.clone());
        recorded.data_hash = item.content.data_hash;
        let sidecar = item.sidecar.expect("blobs");
        let again = items.clone().item(&recorded).await.expect("fits a blob");
        assert!(again.sidecar.is_some_and(|again| Arc::ptr_eq(&again, &sidecar)));
        let moved = OutboxBatch { origin: 7, ..recorded.clone() };
        let moved = items.item(&moved).await.expect("fits a blob");
        assert_eq!(moved.content.origin, 7);
        assert!(moved.sidecar.is_some_and(|again| Arc::ptr_eq(&again, &sidecar)));
        let payload = items.payload(&recorded).await.expect("fits a blob");
        assert_eq!(payload.data.as_ptr(), item.payload.data.as_ptr(), "the same bytes");
        // A payload alone needs no proofs and is not kept.
        let other = batch(b"another batch");
        assert_ne!(items.payload(&other).await.expect("fits a blob"), payload);
        items.retain(&BTreeSet::from([recorded.data_hash]));
        assert!(items.kept(&recorded).is_some());
        items.retain(&BTreeSet::new());
        assert!(items.kept(&recorded).is_none());
    }
}
