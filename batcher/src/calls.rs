//! The inbox call of the newest batch, kept so that commitments and proofs are computed once.

use std::sync::{Arc, Mutex, PoisonError};

use turnpike_l1::{Append, AppendCall, BlobSidecar, EntryPayload, L1Error, ProofTables};
use turnpike_storage::OutboxBatch;

/// The newest call, shared by the poster and the tx manager's store.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallCache {
    newest: Arc<Mutex<Option<AppendCall>>>,
}

impl CallCache {
    /// The call that appends an entry.
    pub(crate) async fn append(&self, append: &Append) -> Result<AppendCall, L1Error> {
        let call = append.call(ProofTables::Precomputed).await?;
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(call.clone());
        Ok(call)
    }

    /// The blobs of a recorded batch with their proofs, if it is posted in blobs.
    pub(crate) async fn sidecar(
        &self,
        batch: &OutboxBatch,
    ) -> Result<Option<BlobSidecar>, L1Error> {
        match self.newest(batch) {
            Some(call) => Ok(call.sidecar),
            None => Ok(self.append(&append_of(batch)).await?.sidecar),
        }
    }

    /// A recorded batch as L1 holds it. Computes no proofs.
    pub(crate) async fn payload(&self, batch: &OutboxBatch) -> Result<EntryPayload, L1Error> {
        match self.newest(batch) {
            Some(call) => Ok(call.payload),
            None => append_of(batch).payload().await,
        }
    }

    /// The newest call, if it carries this batch's data.
    fn newest(&self, batch: &OutboxBatch) -> Option<AppendCall> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.clone().filter(|call| call.data_hash == batch.data_hash)
    }
}

/// The entry that a recorded batch is meant to become.
fn append_of(batch: &OutboxBatch) -> Append {
    Append {
        previous_acc: batch.previous_acc,
        deposit_count: batch.deposit_count,
        deposit_acc: batch.deposit_acc,
        origin: batch.origin,
        kind: batch.kind,
        data: batch.data.clone(),
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{B256, Bytes};
    use turnpike_protocol::DataKind;

    use super::*;

    fn batch(data: &'static [u8]) -> OutboxBatch {
        OutboxBatch {
            entry: 1,
            previous_acc: B256::ZERO,
            first_block: 1,
            last_block: 1,
            last_hash: B256::ZERO,
            transactions: 0,
            origin: 0,
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
        let calls = CallCache::default();
        let mut recorded = batch(b"a batch");
        let call = calls.append(&append_of(&recorded)).await.expect("fits a blob");
        recorded.data_hash = call.data_hash;
        let sidecar = call.sidecar.expect("blobs");
        let again = calls.clone().sidecar(&recorded).await.expect("fits a blob");
        assert!(again.is_some_and(|again| Arc::ptr_eq(&again, &sidecar)));
        let payload = calls.payload(&recorded).await.expect("fits a blob");
        assert_eq!(payload.data.as_ptr(), call.payload.data.as_ptr(), "the same bytes");
        // Another batch has other blobs, which replace nothing unless they get proofs.
        let other = batch(b"another batch");
        assert_ne!(calls.payload(&other).await.expect("fits a blob"), payload);
        assert!(calls.newest(&recorded).is_some());
        let restored = calls.sidecar(&other).await.expect("fits a blob").expect("blobs");
        assert_ne!(*restored, *sidecar);
        assert!(calls.newest(&recorded).is_none());
    }
}
