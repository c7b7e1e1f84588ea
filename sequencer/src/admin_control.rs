//! The operator's controls: pause, resume and drain.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{RwLock, RwLockReadGuard, mpsc, oneshot};

use crate::{
    ChainHandle, Refusal, TransactionView,
    producer_event::{ProducerCommand, ProducerEvent},
};

/// The operator's controls. They do not survive the process.
#[derive(Debug)]
pub struct AdminControl {
    /// Whether the producer makes no block.
    is_paused: AtomicBool,
    gate: Arc<IntakeGate>,
    events: mpsc::Sender<ProducerEvent>,
    chain: Arc<ChainHandle>,
    transactions: Arc<TransactionView>,
}

/// Admits submissions. Closed while the node drains.
#[derive(Debug, Default)]
pub(crate) struct IntakeGate {
    is_closed: AtomicBool,
    /// Read-locked by each submission until its reply.
    submissions: RwLock<()>,
}

/// The producer ended.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the node is stopping")]
pub struct ProducerStopped;

impl IntakeGate {
    /// Admits a submission. The caller holds the guard until the reply.
    pub(crate) async fn enter(&self) -> Result<RwLockReadGuard<'_, ()>, Refusal> {
        let entered = self.submissions.read().await;
        if self.is_closed() { Err(Refusal::Draining) } else { Ok(entered) }
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Refuses further submissions and waits for the replies to those already admitted.
    async fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        drop(self.submissions.write().await);
    }

    fn open(&self) {
        self.is_closed.store(false, Ordering::Relaxed);
    }
}

impl AdminControl {
    pub(crate) const fn new(
        gate: Arc<IntakeGate>,
        events: mpsc::Sender<ProducerEvent>,
        chain: Arc<ChainHandle>,
        transactions: Arc<TransactionView>,
    ) -> Self {
        Self { is_paused: AtomicBool::new(false), gate, events, chain, transactions }
    }

    /// Whether block production is paused.
    pub fn is_paused(&self) -> bool {
        self.is_paused.load(Ordering::Relaxed)
    }

    /// Whether no transaction is accepted.
    pub fn is_draining(&self) -> bool {
        self.gate.is_closed()
    }

    /// Completes the open block and makes no other. Transactions are still accepted, and durable.
    pub async fn pause(&self) -> Result<(), ProducerStopped> {
        self.is_paused.store(true, Ordering::Relaxed);
        self.complete_block().await
    }

    /// Makes blocks and accepts transactions again.
    pub async fn resume(&self) -> Result<(), ProducerStopped> {
        self.gate.open();
        self.is_paused.store(false, Ordering::Relaxed);
        self.complete_block().await
    }

    /// Accepts no more transactions. On return each accepted one is in the pool, or was executed.
    pub async fn begin_drain(&self) {
        self.gate.close().await;
    }

    /// Waits until every transaction that can run is in a block of the index.
    pub async fn drained(&self) -> Result<(), ProducerStopped> {
        let mut head = self.chain.head.clone();
        loop {
            self.complete_block().await?;
            let newest = self.chain.read().await.tip().parent.number;
            head.wait_for(|head| *head >= newest).await.map_err(|_| ProducerStopped)?;
            if !self.transactions.pool().has_runnable() {
                return Ok(());
            }
            head.changed().await.map_err(|_| ProducerStopped)?;
        }
    }

    async fn complete_block(&self) -> Result<(), ProducerStopped> {
        let (done, is_done) = oneshot::channel();
        self.events
            .send(ProducerEvent::Command(ProducerCommand::Complete(done)))
            .await
            .map_err(|_| ProducerStopped)?;
        is_done.await.map_err(|_| ProducerStopped)
    }
}
