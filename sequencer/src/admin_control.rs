//! The operator's controls: pause, resume and drain.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{RwLock, RwLockReadGuard, oneshot};

use crate::{
    Refusal, Shared,
    producer::{ProducerCommand, ProducerEvent},
};

/// The operator's settings. They do not survive the process.
#[derive(Debug, Default)]
pub(crate) struct AdminControl {
    /// Whether block production is paused.
    is_paused: AtomicBool,
    /// Whether submissions are refused.
    is_draining: AtomicBool,
    /// Held for reading by each submission until its reply.
    submissions: RwLock<()>,
}

/// The producer ended.
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

    /// Admits a submission. The caller holds the guard until the reply.
    pub(crate) async fn let_in(&self) -> Result<RwLockReadGuard<'_, ()>, Refusal> {
        let entered = self.submissions.read().await;
        if self.is_draining() { Err(Refusal::Draining) } else { Ok(entered) }
    }
}

impl Shared {
    /// Completes the open block and pauses production. Transactions are still accepted and
    /// journaled.
    pub(crate) async fn pause(&self) -> Result<(), ProducerStopped> {
        self.control.is_paused.store(true, Ordering::Relaxed);
        self.complete_block().await
    }

    /// Resumes block production and submissions.
    pub(crate) async fn resume(&self) -> Result<(), ProducerStopped> {
        self.control.is_draining.store(false, Ordering::Relaxed);
        self.control.is_paused.store(false, Ordering::Relaxed);
        self.complete_block().await
    }

    /// Refuses further submissions. On return every accepted transaction has reached the pool or
    /// left it.
    pub(crate) async fn begin_drain(&self) {
        self.control.is_draining.store(true, Ordering::Relaxed);
        drop(self.control.submissions.write().await);
    }

    /// Waits until every transaction that can run is in an indexed block.
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
