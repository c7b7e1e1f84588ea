mod news;
mod reorganise;
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
    producer::{Control, Event, Halted, Outlook},
    settling::ProofKeeping,
};

#[cfg(test)]
use self::reorganise::Step;

/// What the sequencer does when L1 has news. It changes the chain while the producer stands still.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) config: SequencerConfig,
    pub(crate) genesis: Genesis,
    pub(crate) shared: Arc<Shared>,
    pub(crate) outlook: Arc<SyncMutex<Outlook>>,
    pub(crate) checkpoints: Arc<Mutex<Checkpoints>>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) head: Arc<watch::Sender<u64>>,
    pub(crate) journal_end: Arc<watch::Sender<u64>>,
    pub(crate) settlement_changed: watch::Sender<u64>,
    pub(crate) proofs: ProofKeeping,
    /// Where a test has a reorganisation stop.
    #[cfg(test)]
    pub(crate) stop_after: Option<Step>,
}

impl Driver {
    fn database(&self) -> &Arc<Database> {
        &self.shared.database
    }

    pub(crate) fn head(&self) -> u64 {
        *self.head.borrow()
    }

    fn outlook(&self) -> MutexGuard<'_, Outlook> {
        self.outlook.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the producer stand still, and everything that is complete come into the look-ups.
    async fn halt(&self) -> anyhow::Result<Halted> {
        let (reply, halted) = oneshot::channel();
        self.control(Control::Halt(reply)).await?;
        let halted = halted.await.context("the producer has ended")?;
        self.settle().await?;
        Ok(halted)
    }

    /// Has the open block completed, and everything that is complete come into the look-ups.
    async fn complete(&self) -> anyhow::Result<()> {
        let (done, is_done) = oneshot::channel();
        self.control(Control::Complete(done)).await?;
        is_done.await.context("the producer has ended")?;
        self.settle().await
    }

    async fn control(&self, control: Control) -> anyhow::Result<()> {
        let sent = self.events.send(Event::Control(control)).await;
        sent.ok().context("the producer has ended")
    }

    /// Waits until everything that is complete is in the look-ups.
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
