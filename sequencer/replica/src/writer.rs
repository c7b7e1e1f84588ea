//! Performs the follower's tasks: executes blocks and persists verified rows.
//!
//! # Job
//!
//! It executes blocks, follows rewinds and writes verified rows.
//!
//! # Durability
//!
//! Writes go in this order: journal, checkpoints, index, head. A row is served once it is in this
//! node's journal.
//!
//! # Recovery
//!
//! After a crash, [`restore`](turnpike_sequencer::restore) brings the index to the end of this
//! node's journal. The source continues from there.
//!
//! # Limits
//!
//! At most `BLOCKS_WAITING_MAX` executed blocks are held in memory before they are written.

use std::{path::PathBuf, sync::Arc};

use alloy_primitives::B256;
use anyhow::{Context as _, ensure};
use tokio::{sync::watch, task::block_in_place};
use tracing::{info, warn};
use turnpike_executor::{BlockOutcome, Chain, EngineConfig};
use turnpike_protocol::Genesis;
use turnpike_storage::{
    IndexBatch, IndexRewind, JournalBlock, JournalRow, ReorgEntry, SealedBlock, SealedEntry,
};

use super::{
    Divergence,
    follower::{FollowerTask, JournalFollower},
};
use turnpike_sequencer::{
    NodeHandles,
    checkpoints::Checkpoints,
    replay::{Senders, run_block},
    restore::{reorged_from, restore_to},
    sealed::sealed_block_of,
    unindexed::UnindexedTxs,
};

/// Executed blocks that are not indexed, after which they are written.
const BLOCKS_WAITING_MAX: usize = 16;

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct ReplicaWriter {
    pub(crate) genesis: Genesis,
    pub(crate) execution: EngineConfig,
    /// The directory of checkpoints.
    pub(crate) directory: PathBuf,
    pub(crate) handles: Arc<NodeHandles>,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) follower: JournalFollower,
    pub(crate) head: watch::Sender<u64>,
    pub(crate) journal_end: watch::Sender<u64>,
    /// Executed blocks that the journal does not hold yet, for the checkpoints.
    pub(crate) executed: Vec<BlockOutcome>,
    /// Executed blocks whose `Sealed` row has not arrived.
    pub(crate) unsealed: Vec<SealedBlock>,
    /// Index batches to write once the journal holds their rows.
    pub(crate) batches: Vec<IndexBatch>,
}

/// Why rows were not applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplicaError {
    /// The rows diverge from their execution.
    #[error(transparent)]
    Diverged(#[from] Divergence),
    /// This node failed.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl From<turnpike_storage::StorageError> for ReplicaError {
    fn from(error: turnpike_storage::StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl ReplicaWriter {
    /// Applies rows. Rows that were verified before a divergence are kept.
    pub(crate) async fn apply(&mut self, rows: Vec<JournalRow>) -> Result<(), ReplicaError> {
        for row in rows {
            if let Err(error) = self.apply_row(row).await {
                if matches!(error, ReplicaError::Diverged(_)) {
                    self.flush().await?;
                }
                return Err(error);
            }
        }
        Ok(self.flush().await?)
    }

    async fn apply_row(&mut self, row: JournalRow) -> Result<(), ReplicaError> {
        let next = row.sequence + 1;
        match self.follower.push(row)? {
            Some(FollowerTask::Run(block)) => self.run(block).await,
            Some(FollowerTask::Seal { block, written_at_ms, unindexed }) => {
                self.seal(block, written_at_ms, unindexed).await
            }
            Some(FollowerTask::Rewind { entry, unindexed, void }) => {
                Ok(self.rewind(next, entry, unindexed, void).await?)
            }
            Some(FollowerTask::Index(unindexed)) => {
                let (accepted, refused) = unindexed.into_parts();
                self.batches.push(IndexBatch {
                    to: next,
                    accepted,
                    refused,
                    ..IndexBatch::default()
                });
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn run(&mut self, block: JournalBlock) -> Result<(), ReplicaError> {
        let outcome = {
            let mut chain = self.handles.chain.write().await;
            let outcome = block_in_place(|| run_block(&mut chain, &block, Senders::Recovered))?;
            self.unsealed.push(sealed_block_of(&chain, &outcome, block));
            outcome
        };
        self.follower.executed(SealedEntry {
            number: outcome.header.number,
            hash: outcome.hash(),
            state_root: outcome.header.state_root,
        })?;
        self.executed.push(outcome);
        if self.executed.len() >= BLOCKS_WAITING_MAX {
            self.flush().await?;
        }
        Ok(())
    }

    async fn seal(
        &mut self,
        number: u64,
        written_at_ms: u64,
        unindexed: UnindexedTxs,
    ) -> Result<(), ReplicaError> {
        let Some(at) = self.unsealed.iter().position(|block| block.block.header.number == number)
        else {
            // The index held the block at the start.
            return Ok(self.handles.chain.database.note_sealed(number, written_at_ms).await?);
        };
        let mut block = self.unsealed.remove(at);
        block.times.sealed_ms = Some(written_at_ms);
        let (accepted, refused) = unindexed.into_parts();
        self.batches.push(IndexBatch {
            to: block.rows.end,
            rewind: None,
            accepted,
            blocks: vec![block],
            refused,
        });
        Ok(())
    }

    async fn rewind(
        &mut self,
        to: u64,
        entry: ReorgEntry,
        mut unindexed: UnindexedTxs,
        void: Vec<(B256, u64)>,
    ) -> anyhow::Result<()> {
        let ReorgEntry { first_block, reason, waiting, refused } = entry;
        // Write the row now. If the process ends before the index holds it, the next start reads it
        // from the journal.
        self.flush().await?;
        warn!(first = first_block, reason, "rewinding blocks");
        self.rewind_chain(first_block - 1).await?;
        self.unsealed.retain(|block| block.block.header.number < first_block);
        unindexed.accept(&waiting);
        unindexed.refuse(refused);
        let (accepted, refused) = unindexed.into_parts();
        let database = &self.handles.chain.database;
        let mut reorged = void;
        let known: std::collections::HashSet<_> = reorged.iter().map(|(hash, _)| *hash).collect();
        let rest = reorged_from(database, first_block).await?;
        reorged.extend(rest.into_iter().filter(|(hash, _)| !known.contains(hash)));
        let rewind = Some(IndexRewind { first_block, reason, reorged });
        let batch = IndexBatch { to, rewind, accepted, blocks: Vec::new(), refused };
        self.handles.notifications.before_rewind(&self.handles.chain, first_block).await;
        database.index(&batch).await.context("cannot write the index")?;
        self.head.send_replace(first_block - 1);
        Ok(())
    }

    /// Rewinds the chain to a block that the index holds.
    async fn rewind_chain(&mut self, block: u64) -> anyhow::Result<()> {
        let handles = Arc::clone(&self.handles);
        if handles.chain.read().await.oldest_state() > block {
            info!(block, "state not in memory: executing the journal again");
            self.checkpoints.stop().await;
            let genesis = Chain::from_genesis(&self.genesis);
            let (chain, checkpoints) = restore_to(
                genesis,
                &handles.chain.database,
                &self.directory,
                self.execution,
                block,
            )
            .await?;
            *handles.chain.write().await = chain;
            self.checkpoints = checkpoints;
            return Ok(());
        }
        let mut chain = handles.chain.write().await;
        ensure!(block_in_place(|| chain.rewind(block)), "block {block} is unknown");
        self.checkpoints.rewind(block);
        Ok(())
    }

    /// Writes verified rows, checkpoints and index batches.
    async fn flush(&mut self) -> anyhow::Result<()> {
        let handles = Arc::clone(&self.handles);
        let rows = self.follower.verified();
        if let Some(last) = rows.last() {
            let end = last.sequence + 1;
            let written = handles.chain.database.append_rows(&rows).await;
            written.context("the journal cannot be written")?;
            self.journal_end.send_replace(end);
        }
        if !self.executed.is_empty() {
            let chain = handles.chain.read().await;
            for outcome in self.executed.drain(..) {
                self.checkpoints.push(&chain, outcome).await;
            }
        }
        for batch in self.batches.drain(..) {
            let indexed = handles.chain.database.index(&batch).await;
            indexed.context("cannot write the index")?;
            if let Some(block) = batch.blocks.last() {
                let header = &block.block.header;
                self.head.send_replace(header.number);
                info!(
                    block = header.number,
                    hash = %header.hash_slow(),
                    transactions = block.hashes.len(),
                    "block followed"
                );
            }
        }
        Ok(())
    }

    /// Writes a last checkpoint for the next start.
    pub(crate) async fn finish(self) {
        self.checkpoints.finish().await;
    }
}
