//! Worker threads of admission.
//!
//! # Job
//!
//! They decode transactions and recover signers in batches that may span requests, eight signers at
//! a time.
//!
//! # Limits
//!
//! `QUEUE_TRANSACTIONS_MAX` and `QUEUE_BYTES_MAX` bound the queue. A request that does not fit is
//! refused as busy.

use std::{
    collections::VecDeque,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{JoinHandle, available_parallelism},
};

use alloy_primitives::Bytes;
use tokio::sync::oneshot;
use turnpike_protocol::ChainConfig;

use super::{CheckedTx, check_stateless};
use crate::{
    Refusal,
    metrics::{AdmissionMetrics, describe_refusals},
};

/// Transactions that wait for a worker, at most.
const QUEUE_TRANSACTIONS_MAX: usize = 32_768;

/// Bytes that wait for a worker, at most.
const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Transactions in a job. Large enough to make handing over cheap and to recover eight signers at a
/// time.
const JOB_TRANSACTIONS_MAX: usize = 32;

/// Transactions that a worker checks at once, of any requests: about a millisecond's work.
const BATCH_TRANSACTIONS_MAX: usize = 128;

type Checked = Vec<Result<CheckedTx, Refusal>>;

/// See the module documentation. The workers end with the last owner.
#[derive(Debug)]
pub(crate) struct Admission {
    pool: Arc<WorkerPool>,
    workers: Vec<JoinHandle<()>>,
}

/// What requests and workers share.
#[derive(Debug)]
struct WorkerPool {
    config: ChainConfig,
    workers: usize,
    queue: Mutex<JobQueue>,
    /// Signals that the queue has jobs or was closed.
    changed: Condvar,
    metrics: AdmissionMetrics,
}

#[derive(Debug, Default)]
struct JobQueue {
    jobs: VecDeque<AdmissionJob>,
    transactions: usize,
    bytes: usize,
    is_closed: bool,
}

#[derive(Debug)]
struct AdmissionJob {
    raws: Vec<Bytes>,
    bytes: usize,
    reply: oneshot::Sender<Checked>,
}

impl Admission {
    /// Starts a worker per core.
    pub(crate) fn new(config: ChainConfig) -> std::io::Result<Self> {
        Self::with_workers(config, available_parallelism().map_or(1, NonZero::get))
    }

    fn with_workers(config: ChainConfig, workers: usize) -> std::io::Result<Self> {
        describe_refusals();
        let pool = Arc::new(WorkerPool {
            config,
            workers,
            queue: Mutex::default(),
            changed: Condvar::new(),
            metrics: AdmissionMetrics::default(),
        });
        let mut admission = Self { pool, workers: Vec::with_capacity(workers) };
        for number in 0..workers {
            let pool = Arc::clone(&admission.pool);
            let thread = std::thread::Builder::new().name(format!("admission-{number}"));
            admission.workers.push(thread.spawn(move || pool.work())?);
        }
        Ok(admission)
    }

    /// Checks everything that needs no state. Returns the results in the given order.
    pub(crate) async fn check(&self, raws: Vec<Bytes>) -> Checked {
        let count = raws.len();
        let (jobs, answers): (Vec<_>, Vec<_>) = jobs(raws).unzip();
        if let Err(refusal) = self.pool.push(jobs) {
            return vec![Err(refusal); count];
        }
        let mut checked = Vec::with_capacity(count);
        for answer in answers {
            checked.extend(answer.await.expect("invariant: checking does not panic"));
        }
        checked
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.pool.lock().is_closed = true;
        self.pool.changed.notify_all();
        for worker in self.workers.drain(..) {
            // The worker caught the panic of a check.
            let _ = worker.join();
        }
    }
}

/// Splits a request into jobs.
fn jobs(raws: Vec<Bytes>) -> impl Iterator<Item = (AdmissionJob, oneshot::Receiver<Checked>)> {
    let mut raws = raws.into_iter();
    std::iter::from_fn(move || {
        let raws: Vec<_> = raws.by_ref().take(JOB_TRANSACTIONS_MAX).collect();
        let bytes = raws.iter().map(|raw| raw.len()).sum();
        let (reply, answer) = oneshot::channel();
        (!raws.is_empty()).then_some((AdmissionJob { raws, bytes, reply }, answer))
    })
}

impl WorkerPool {
    fn lock(&self) -> MutexGuard<'_, JobQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues all jobs of a request, or none.
    fn push(&self, jobs: Vec<AdmissionJob>) -> Result<(), Refusal> {
        let count: usize = jobs.iter().map(|job| job.raws.len()).sum();
        let bytes: usize = jobs.iter().map(|job| job.bytes).sum();
        let is_one = jobs.len() == 1;
        {
            let mut queue = self.lock();
            if queue.is_closed {
                return Err(Refusal::Stopping);
            }
            let is_full = queue.transactions + count > QUEUE_TRANSACTIONS_MAX
                || queue.bytes + bytes > QUEUE_BYTES_MAX;
            if is_full {
                return Err(Refusal::Busy);
            }
            queue.transactions += count;
            queue.bytes += bytes;
            queue.jobs.extend(jobs);
        }
        self.metrics.waiting.increment(count as f64);
        if is_one {
            self.changed.notify_one()
        } else {
            self.changed.notify_all()
        }
        Ok(())
    }

    /// A worker's loop.
    fn work(&self) {
        while let Some(batch) = self.take() {
            let count: usize = batch.iter().map(|job| job.raws.len()).sum();
            self.metrics.waiting.decrement(count as f64);
            self.metrics.batch.record(count as f64);
            self.metrics.checked.increment(count as u64);
            if catch_unwind(AssertUnwindSafe(|| self.check(batch))).is_err() {
                tracing::error!("checking transactions panicked");
            }
        }
    }

    /// Checks the transactions of all jobs together and replies to each job.
    fn check(&self, batch: Vec<AdmissionJob>) {
        let (raws, replies): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|AdmissionJob { raws, reply, .. }| (raws, reply)).unzip();
        let counts: Vec<_> = raws.iter().map(Vec::len).collect();
        let mut checked = check_stateless(&self.config, raws.into_iter().flatten()).into_iter();
        for (reply, count) in replies.into_iter().zip(counts) {
            // A client that disconnected needs no reply.
            let _ = reply.send(checked.by_ref().take(count).collect());
        }
    }

    /// Waits for jobs and takes a fair share; `None` once the queue is closed and empty.
    fn take(&self) -> Option<Vec<AdmissionJob>> {
        let mut queue = self.lock();
        while queue.jobs.is_empty() {
            if queue.is_closed {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let share = queue.transactions.div_ceil(self.workers).min(BATCH_TRANSACTIONS_MAX);
        let (mut batch, mut taken) = (Vec::new(), 0);
        while taken < share {
            let Some(job) = queue.jobs.pop_front() else { break };
            taken += job.raws.len();
            queue.bytes -= job.bytes;
            batch.push(job);
        }
        queue.transactions -= taken;
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use alloy_consensus::{SignableTransaction as _, TxEip1559, crypto::secp256k1::sign_message};
    use alloy_eips::eip2718::Encodable2718 as _;
    use alloy_primitives::{Address, keccak256};
    use futures_util::poll;
    use turnpike_protocol::Genesis;

    use super::*;

    /// Bytes that are refused with an error naming their length.
    fn raws(lengths: std::ops::Range<usize>) -> Vec<Bytes> {
        let limit = 128 * 1024;
        lengths.map(|more| vec![2; limit + 1 + more].into()).collect()
    }

    fn sizes(checked: &Checked) -> Vec<usize> {
        let size = |result: &Result<CheckedTx, Refusal>| match result {
            Err(Refusal::Oversized { size, .. }) => *size - 128 * 1024 - 1,
            other => panic!("{other:?}"),
        };
        checked.iter().map(size).collect()
    }

    fn pool(workers: usize) -> Admission {
        Admission::with_workers(Genesis::dev().config, workers).expect("threads start")
    }

    #[tokio::test]
    async fn results_keep_submission_order() {
        let admission = pool(3);
        let requests = [0..100, 100..101, 101..101, 101..200];
        let answers = requests.clone().map(|lengths| admission.check(raws(lengths)));
        for (lengths, checked) in
            requests.into_iter().zip(futures_util::future::join_all(answers).await)
        {
            assert_eq!(sizes(&checked), lengths.collect::<Vec<_>>());
        }
    }

    /// A transaction with a unique nonce and key, and its sender.
    fn signed(nonce: u64) -> (Bytes, Address) {
        let config = Genesis::dev().config;
        let tx = TxEip1559 {
            chain_id: config.chain_id,
            nonce,
            gas_limit: 21_000,
            to: Address::ZERO.into(),
            ..Default::default()
        };
        let (key, hash) = (keccak256(nonce.to_be_bytes()), tx.signature_hash());
        let signature = sign_message(key, hash).expect("is a key");
        let sender = signature.recover_address_from_prehash(&hash).expect("is signed");
        (tx.into_signed(signature).encoded_2718().into(), sender)
    }

    #[tokio::test]
    async fn batched_transactions_keep_their_senders() {
        let admission = pool(2);
        let requests = [0..1, 1..40, 40..170, 170..173].map(|nonces| {
            let mut txs: Vec<_> = nonces.map(signed).collect();
            // Not a transaction.
            txs.insert(txs.len() / 2, (Bytes::from_static(&[2]), Address::ZERO));
            txs
        });
        let raws = |txs: &[(Bytes, Address)]| txs.iter().map(|(raw, _)| raw.clone()).collect();
        let answers = requests.iter().map(|txs| admission.check(raws(txs)));
        for (txs, checked) in requests.iter().zip(futures_util::future::join_all(answers).await) {
            assert_eq!(checked.len(), txs.len());
            for ((raw, sender), checked) in txs.iter().zip(checked) {
                match checked {
                    Ok(checked) => assert_eq!((&checked.raw, checked.sender), (raw, *sender)),
                    Err(refusal) => assert_eq!(*sender, Address::ZERO, "{refusal}"),
                }
            }
        }
    }

    #[tokio::test]
    async fn full_queue_is_busy_and_closed_queue_is_stopping() {
        let admission = pool(0);
        let some = |count| vec![Bytes::from_static(&[2]); count];
        let mut waits = Box::pin(admission.check(some(QUEUE_TRANSACTIONS_MAX - 1)));
        assert!(matches!(poll!(&mut waits), Poll::Pending));
        assert_eq!(admission.check(some(2)).await.len(), 2);
        let busy = admission.check(some(2)).await;
        assert!(busy.iter().all(|result| matches!(result, Err(Refusal::Busy))));
        let mut fits = Box::pin(admission.check(some(1)));
        assert!(matches!(poll!(&mut fits), Poll::Pending));

        admission.pool.lock().is_closed = true;
        let stopping = admission.check(some(1)).await;
        assert!(matches!(stopping[..], [Err(Refusal::Stopping)]));
    }

    #[tokio::test]
    async fn queued_bytes_are_bounded() {
        let admission = pool(0);
        let half = || vec![Bytes::from(vec![0; QUEUE_BYTES_MAX / 2])];
        let mut first = Box::pin(admission.check(half()));
        let mut second = Box::pin(admission.check(half()));
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        let third = admission.check(vec![Bytes::from_static(&[0])]).await;
        assert!(matches!(third[..], [Err(Refusal::Busy)]));
    }
}
