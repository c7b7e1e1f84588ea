//! A submission on its way to the producer, and its results.

use std::sync::Arc;

use alloy_primitives::B256;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{Preconfirmation, Refusal, admission::CheckedTx};

/// An accepted transaction.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its hash.
    pub hash: B256,
    /// Whether it was unknown before.
    pub is_new: bool,
    /// Its preconfirmation, if it exists already.
    pub preconfirmation: Option<Arc<Preconfirmation>>,
}

/// Receives a submission's results, one for each transaction.
pub(crate) type ReplySender = oneshot::Sender<Vec<Result<Accepted, Refusal>>>;

/// A submission on its way to the producer.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) txs: Vec<CheckedTx>,
    /// When it was received, in Unix milliseconds.
    pub(crate) received_ms: u64,
    pub(crate) reply: ReplySender,
    /// A permit for each byte that waits for the producer.
    pub(crate) waits: OwnedSemaphorePermit,
}

impl Submission {
    /// Bytes of its transactions.
    pub(crate) fn bytes(&self) -> usize {
        self.waits.num_permits()
    }
}
