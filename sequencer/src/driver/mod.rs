//! The driver applies events from L1 to the chain.
//!
//! # Job
//!
//! It handles the tracker's events one at a time. To change the chain it halts the producer, which
//! is the only other writer of pool and state.
//!
//! # State
//!
//! The settlement, the head and the producer's [`ProductionState`], all in memory.
//!
//! # Recovery
//!
//! The tracker reports everything on L1 again after a restart. See [`reorg`] for a crash during a
//! reorg.

mod l1_events;
mod reorg;
mod rerun;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};

use anyhow::{Context as _, bail};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use turnpike_protocol::Genesis;
use turnpike_storage::Database;

use crate::{
    NodeHandles, SequencerConfig,
    checkpoints::Checkpoints,
    producer::ProductionState,
    producer_event::{HaltedProducer, ProducerCommand, ProducerEvent},
    safe_head::PasserProofRetention,
};

#[cfg(test)]
use self::reorg::ReorgStep;

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) config: SequencerConfig,
    pub(crate) genesis: Genesis,
    pub(crate) handles: Arc<NodeHandles>,
    pub(crate) production: Arc<SyncMutex<ProductionState>>,
    pub(crate) checkpoints: Arc<Mutex<Checkpoints>>,
    pub(crate) events: mpsc::Sender<ProducerEvent>,
    pub(crate) head: Arc<watch::Sender<u64>>,
    pub(crate) journal_end: Arc<watch::Sender<u64>>,
    pub(crate) settlement_changed: watch::Sender<u64>,
    pub(crate) proofs: PasserProofRetention,
    /// The step after which a test interrupts a reorg.
    #[cfg(test)]
    pub(crate) stop_after: Option<ReorgStep>,
}

impl Driver {
    fn database(&self) -> &Arc<Database> {
        &self.handles.chain.database
    }

    pub(crate) fn head(&self) -> u64 {
        *self.head.borrow()
    }

    fn production(&self) -> MutexGuard<'_, ProductionState> {
        self.production.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Halts the producer and waits until the index holds all complete blocks.
    async fn halt(&self) -> anyhow::Result<HaltedProducer> {
        let (reply, halted) = oneshot::channel();
        self.send_command(ProducerCommand::Halt(reply)).await?;
        let halted = halted.await.context("the producer has ended")?;
        self.wait_until_indexed().await?;
        Ok(halted)
    }

    /// Completes the open block and waits until the index holds all complete blocks.
    async fn complete_block(&self) -> anyhow::Result<()> {
        let (done, is_done) = oneshot::channel();
        self.send_command(ProducerCommand::Complete(done)).await?;
        is_done.await.context("the producer has ended")?;
        self.wait_until_indexed().await
    }

    async fn send_command(&self, command: ProducerCommand) -> anyhow::Result<()> {
        let sent = self.events.send(ProducerEvent::Command(command)).await;
        sent.ok().context("the producer has ended")
    }

    /// Waits until the index holds all complete blocks.
    async fn wait_until_indexed(&self) -> anyhow::Result<()> {
        let newest = self.handles.chain.read().await.tip().parent.number;
        let mut head = self.head.subscribe();
        tokio::select! {
            reached = head.wait_for(|head| *head >= newest) => drop(reached?),
            () = self.handles.failure.token().cancelled() => bail!("{}", self.handles.failure.refusal()),
        }
        Ok(())
    }
}
