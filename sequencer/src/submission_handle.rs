//! The submission handle: checks raw transactions, hands them to the producer, and returns results
//! once they are durable.
//!
//! # Limits
//!
//! `SUBMITTED_BYTES_MAX` bounds the bytes that wait for the producer. Beyond it submissions are
//! refused as busy.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, keccak256};
use tokio::sync::{Semaphore, mpsc, oneshot};
use turnpike_protocol::{SignedTx, decode_transaction};
use turnpike_storage::{Database, unix_milliseconds};

use crate::{
    Accepted, Refusal,
    admin_control::IntakeGate,
    admission::{Admission, CheckedTx},
    failure::NodeFailure,
    metrics::refused,
    notifications::Notifications,
    producer_event::ProducerEvent,
    submission::Submission,
    submission_route::SubmissionSink,
};

/// Bytes of transactions that wait for the producer, at most.
const SUBMITTED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Submits transactions to the node, or forwards them to its sequencer.
#[derive(Debug)]
pub struct SubmissionHandle {
    pub(crate) admission: Admission,
    pub(crate) events: mpsc::Sender<ProducerEvent>,
    /// Permits for bytes of transactions that wait for the producer.
    submitted_bytes: Arc<Semaphore>,
    sink: SubmissionSink,
    intake_gate: Arc<IntakeGate>,
    failure: Arc<NodeFailure>,
    notifications: Arc<Notifications>,
    client_database: Arc<Database>,
}

impl SubmissionHandle {
    pub(crate) fn new(
        admission: Admission,
        events: mpsc::Sender<ProducerEvent>,
        sink: SubmissionSink,
        intake_gate: Arc<IntakeGate>,
        failure: Arc<NodeFailure>,
        notifications: Arc<Notifications>,
        client_database: Arc<Database>,
    ) -> Self {
        let submitted_bytes = Arc::new(Semaphore::new(SUBMITTED_BYTES_MAX));
        Self {
            admission,
            events,
            submitted_bytes,
            sink,
            intake_gate,
            failure,
            notifications,
            client_database,
        }
    }

    /// Submits raw transactions. Returns the durable results in order. A known transaction is
    /// accepted again while it waits or once a block includes it.
    pub async fn submit(&self, raws: Vec<Bytes>) -> Vec<Result<Accepted, Refusal>> {
        match &self.sink {
            SubmissionSink::LocalPool => {}
            SubmissionSink::Rejected => return vec![Err(Refusal::ReadOnly); raws.len()],
            SubmissionSink::Forwarded(sequencer) => {
                let results = sequencer.submit(raws.clone()).await;
                self.notifications.accepted(results.iter(), |hash| signed(&raws, hash));
                return results;
            }
        }
        if self.failure.is_failed() {
            return vec![Err(self.failure.refusal()); raws.len()];
        }
        let _let_in = match self.intake_gate.enter().await {
            Ok(let_in) => let_in,
            Err(refusal) => {
                refused(&refusal);
                return vec![Err(refusal); raws.len()];
            }
        };
        let received_ms = unix_milliseconds();
        let (txs, mut results) = split(self.admission.check(raws.clone()).await);
        if !txs.is_empty() {
            let count = txs.len();
            let answers = self.hand_over(txs, received_ms).await;
            let mut answers =
                answers.unwrap_or_else(|refusal| vec![Err(refusal); count]).into_iter();
            for result in results.iter_mut().filter(|result| result.is_none()) {
                *result = answers.next();
            }
        }
        let mut settled = Vec::with_capacity(results.len());
        for (result, raw) in results.into_iter().zip(raws) {
            let mut result = result.expect("invariant: one answer for each");
            if let Err(Refusal::NonceTooLow { .. }) = result {
                // An included transaction fails the nonce check.
                let hash = keccak256(&raw);
                if let Ok(Some(_)) = self.client_database.transaction(&hash).await {
                    result = Ok(Accepted { hash, is_new: false, preconfirmation: None });
                }
            }
            result.as_ref().inspect_err(|refusal| refused(refusal)).ok();
            settled.push(result);
        }
        settled
    }

    /// Hands transactions to the producer and waits for the results. An error applies to all of
    /// them.
    async fn hand_over(
        &self,
        txs: Vec<CheckedTx>,
        received_ms: u64,
    ) -> Result<Vec<Result<Accepted, Refusal>>, Refusal> {
        let bytes = txs.iter().map(|tx| tx.raw.len()).sum::<usize>();
        let bytes = u32::try_from(bytes).map_err(|_| Refusal::Busy)?;
        let waits = Arc::clone(&self.submitted_bytes).try_acquire_many_owned(bytes);
        let waits = waits.map_err(|_| Refusal::Busy)?;
        let (reply, answer) = oneshot::channel();
        let submission = Submission { txs, received_ms, reply, waits };
        let sent = self.events.send(ProducerEvent::Submission(submission)).await;
        sent.map_err(|_| self.failure.refusal())?;
        answer.await.map_err(|_| self.failure.refusal())
    }
}

/// The transaction with this hash and its sender.
fn signed(raws: &[Bytes], hash: &B256) -> Option<(Bytes, Address)> {
    let raw = raws.iter().find(|raw| keccak256(raw) == *hash)?;
    let sender = SignedTx::recover(decode_transaction(raw).ok()?).signer().ok()?;
    Some((raw.clone(), sender))
}

/// Separates accepted transactions from refused ones and keeps their positions.
fn split(
    checked: Vec<Result<CheckedTx, Refusal>>,
) -> (Vec<CheckedTx>, Vec<Option<Result<Accepted, Refusal>>>) {
    let mut txs = Vec::new();
    let results = checked
        .into_iter()
        .map(|result| match result {
            Ok(tx) => {
                txs.push(tx);
                None
            }
            Err(refusal) => Some(Err(refusal)),
        })
        .collect();
    (txs, results)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;
    use turnpike_protocol::Genesis;

    use super::*;
    use crate::NodeHandles;

    #[tokio::test]
    async fn submitted_bytes_are_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let genesis = Genesis::dev();
        let (handles, _tellers, mut events) = NodeHandles::of_new(folder.path(), &genesis).await;
        let tx = |bytes: usize| CheckedTx {
            tx: turnpike_protocol::SignedTx::new_unchecked(
                alloy_consensus::SignableTransaction::into_signed(
                    alloy_consensus::TxEip1559::default(),
                    alloy_primitives::Signature::new(U256::from(1), U256::from(1), false),
                )
                .into(),
                Address::ZERO,
            ),
            raw: vec![0; bytes].into(),
            sender: Address::ZERO,
        };
        let mut most =
            Box::pin(handles.submissions.hand_over(vec![tx(SUBMITTED_BYTES_MAX - 10)], 0));
        assert!(futures_util::poll!(&mut most).is_pending());
        let busy = handles.submissions.hand_over(vec![tx(6), tx(5)], 0).await;
        assert!(matches!(busy, Err(Refusal::Busy)), "{busy:?}");
        let Some(ProducerEvent::Submission(taken)) = events.recv().await else {
            panic!("it waits")
        };
        assert_eq!(taken.bytes(), SUBMITTED_BYTES_MAX - 10);
        drop(taken);
        let mut next = Box::pin(handles.submissions.hand_over(vec![tx(6), tx(5)], 0));
        assert!(futures_util::poll!(&mut next).is_pending(), "there is room again");
    }
}
