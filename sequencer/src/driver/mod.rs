mod l1_events;
mod reorg;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};

use anyhow::{Context as _, bail};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use turnpike_protocol::Genesis;
use turnpike_storage::Database;

use crate::{
    SequencerConfig, Shared,
    checkpoints::Checkpoints,
    producer::{HaltedProducer, ProducerCommand, ProducerEvent, ProductionState},
    safe_head::PasserProofRetention,
};

#[cfg(test)]
use self::reorg::ReorgStep;

/// What the sequencer does when L1 has news. It changes the chain while the producer stands still.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) config: SequencerConfig,
    pub(crate) genesis: Genesis,
    pub(crate) shared: Arc<Shared>,
    pub(crate) production: Arc<SyncMutex<ProductionState>>,
    pub(crate) checkpoints: Arc<Mutex<Checkpoints>>,
    pub(crate) events: mpsc::Sender<ProducerEvent>,
    pub(crate) head: Arc<watch::Sender<u64>>,
    pub(crate) journal_end: Arc<watch::Sender<u64>>,
    pub(crate) settlement_changed: watch::Sender<u64>,
    pub(crate) proofs: PasserProofRetention,
    /// Where a test has a reorganisation stop.
    #[cfg(test)]
    pub(crate) stop_after: Option<ReorgStep>,
}

impl Driver {
    fn database(&self) -> &Arc<Database> {
        &self.shared.database
    }

    pub(crate) fn head(&self) -> u64 {
        *self.head.borrow()
    }

    fn production(&self) -> MutexGuard<'_, ProductionState> {
        self.production.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the producer stand still, and everything that is complete come into the index.
    async fn halt(&self) -> anyhow::Result<HaltedProducer> {
        let (reply, halted) = oneshot::channel();
        self.control(ProducerCommand::Halt(reply)).await?;
        let halted = halted.await.context("the producer has ended")?;
        self.settle().await?;
        Ok(halted)
    }

    /// Has the open block completed, and everything that is complete come into the index.
    async fn complete(&self) -> anyhow::Result<()> {
        let (done, is_done) = oneshot::channel();
        self.control(ProducerCommand::Complete(done)).await?;
        is_done.await.context("the producer has ended")?;
        self.settle().await
    }

    async fn control(&self, control: ProducerCommand) -> anyhow::Result<()> {
        let sent = self.events.send(ProducerEvent::Command(control)).await;
        sent.ok().context("the producer has ended")
    }

    /// Waits until everything that is complete is in the index.
    async fn settle(&self) -> anyhow::Result<()> {
        let newest = self.shared.chain.read().await.tip().parent.number;
        let mut head = self.head.subscribe();
        tokio::select! {
            reached = head.wait_for(|head| *head >= newest) => drop(reached?),
            () = self.shared.failed.cancelled() => bail!("{}", self.shared.failed_refusal()),
        }
        Ok(())
    }
}
