//! The inbox call of the newest batch, kept so that commitments and proofs are computed once.

use turnpike_l1::{Append, AppendCall, L1Error};
use turnpike_storage::OutboxBatch;

/// The newest call.
#[derive(Debug, Default)]
pub(crate) struct CallCache {
    newest: Option<AppendCall>,
}

impl CallCache {
    /// The call that appends an entry.
    pub(crate) fn append(&mut self, append: &Append) -> Result<AppendCall, L1Error> {
        let call = tokio::task::block_in_place(|| append.call())?;
        self.newest = Some(call.clone());
        Ok(call)
    }

    /// The call of a recorded batch.
    pub(crate) fn recorded(&mut self, batch: &OutboxBatch) -> Result<AppendCall, L1Error> {
        let append = append_of(batch);
        match &self.newest {
            Some(call) if call.data_hash == batch.data_hash => append.call_like(call),
            _ => self.append(&append),
        }
    }
}

/// The entry that a recorded batch is meant to become.
pub(crate) fn append_of(batch: &OutboxBatch) -> Append {
    Append {
        previous_acc: batch.previous_acc,
        deposit_count: batch.deposit_count,
        deposit_acc: batch.deposit_acc,
        origin: batch.origin,
        kind: batch.kind,
        data: batch.data.clone(),
    }
}
