use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{RwLock, RwLockReadGuard, oneshot};

use crate::{
    Refusal, Shared,
    producer::{ProducerCommand, ProducerEvent},
};

/// What an operator has the node do. Nothing of it outlives the process.
#[derive(Debug, Default)]
pub(crate) struct AdminControl {
    /// Whether no block is made.
    is_paused: AtomicBool,
    /// Whether no transaction is taken.
    is_draining: AtomicBool,
    /// Held to read by whoever submits transactions until they are answered.
    submissions: RwLock<()>,
}

/// The producer has ended.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the node is stopping")]
pub(crate) struct ProducerStopped;

impl AdminControl {
    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused.load(Ordering::Relaxed)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Lets transactions in, to be held until they are answered.
    pub(crate) async fn let_in(&self) -> Result<RwLockReadGuard<'_, ()>, Refusal> {
        let entered = self.submissions.read().await;
        if self.is_draining() { Err(Refusal::Draining) } else { Ok(entered) }
    }
}

impl Shared {
    /// Has the open block completed, and no other made. Transactions are taken, and durable, all the same.
    pub(crate) async fn pause(&self) -> Result<(), ProducerStopped> {
        self.control.is_paused.store(true, Ordering::Relaxed);
        self.complete_block().await
    }

    /// Has blocks made again, and transactions taken.
    pub(crate) async fn resume(&self) -> Result<(), ProducerStopped> {
        self.control.is_draining.store(false, Ordering::Relaxed);
        self.control.is_paused.store(false, Ordering::Relaxed);
        self.complete_block().await
    }

    /// Takes no more transactions. On return all that were accepted are in the pool, or have moved on from there.
    pub(crate) async fn begin_drain(&self) {
        self.control.is_draining.store(true, Ordering::Relaxed);
        drop(self.control.submissions.write().await);
    }

    /// Waits until every transaction that can run is in a block that can be looked up.
    pub(crate) async fn drained(&self) -> Result<(), ProducerStopped> {
        let mut head = self.head.clone();
        loop {
            self.complete_block().await?;
            let newest = self.chain.read().await.tip().parent.number;
            head.wait_for(|head| *head >= newest).await.map_err(|_| ProducerStopped)?;
            if !self.pool().has_runnable() {
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
