//! Sealer and indexer: give a complete block its roots and header, journal them, index the block
//! and make it visible.
//!
//! ```text
//! producer ─► sealer: roots, header ─► journal: `Sealed` ─► checkpoints ─► indexer: index ─► head
//! ```
//!
//! # Job
//!
//! The sealer computes a block's roots while the producer executes the next block. The indexer
//! writes the index and then moves the head.
//!
//! # Recovery
//!
//! After a crash, [`restore`](crate::restore) seals and indexes the blocks that the journal holds
//! complete.
//!
//! # Durability
//!
//! The head moves once the index holds the block.
//!
//! # Limits
//!
//! Both queues are short. A slow disk or CPU slows the producer down and does not fill the memory.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    task::block_in_place,
};
use tracing::{debug, info};
use turnpike_executor::{ClosedBlock, SliceReport};
use turnpike_protocol::predeploys::MESSAGE_PASSER;
use turnpike_storage::{IndexBatch, JournalEntry, SealedBlock, SealedEntry, StoredTimes};

use crate::{
    BlockExecution, NodeHandles,
    builder::BlockPlan,
    checkpoints::Checkpoints,
    committer::{DurableRows, JournalCommit},
    sealed::sealed_block,
    unindexed::UnindexedTxs,
};

/// Blocks that wait for their roots, at most.
pub(crate) const BLOCKS_TO_SEAL_MAX: usize = 1;

/// Blocks that wait for the index, at most. Those that wait are written together, because
/// neighbouring blocks change mostly the same pages.
pub(crate) const BLOCKS_TO_INDEX_MAX: usize = 16;

/// A complete block.
#[derive(Debug)]
pub(crate) struct BlockToSeal {
    pub(crate) block: ClosedBlock,
    pub(crate) plan: BlockPlan,
    pub(crate) slices: Vec<SliceReport>,
    /// Resolves when the block's last part is durable.
    pub(crate) durable: oneshot::Receiver<DurableRows>,
}

/// A sealed block to index.
#[derive(Debug)]
pub(crate) struct BlockToIndex {
    execution: BlockExecution,
    /// Outcomes since the block before, of transactions that are in neither block.
    unindexed: UnindexedTxs,
    block: SealedBlock,
}

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Sealer {
    pub(crate) handles: Arc<NodeHandles>,
    pub(crate) blocks_to_seal: mpsc::Receiver<BlockToSeal>,
    pub(crate) commits: mpsc::Sender<JournalCommit>,
    pub(crate) blocks_to_index: mpsc::Sender<BlockToIndex>,
    pub(crate) checkpoints: Arc<Mutex<Checkpoints>>,
}

impl Sealer {
    /// Seals blocks until the producer ends.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        while let Some(block_to_seal) = self.blocks_to_seal.recv().await {
            if self.seal(block_to_seal).await.is_none() {
                // The committer ended and reports why.
                return Ok(());
            }
        }
        Ok(())
    }

    async fn seal(&self, block_to_seal: BlockToSeal) -> Option<()> {
        let BlockToSeal { block, plan, slices, durable } = block_to_seal;
        let number = block.number();
        debug!(block = number, "seal begins");
        let outcome = block_in_place(|| block.complete());
        // The chain keeps the state of the newest visible block.
        let seen = *self.handles.chain.head.borrow();
        self.handles.chain.write().await.set_head(&outcome, seen);
        let mut durable = durable.await.ok()?;
        let (done, sealed) = oneshot::channel();
        let entry =
            SealedEntry { number, hash: outcome.hash(), state_root: outcome.header.state_root };
        let entries = vec![JournalEntry::Sealed(entry)];
        let commit =
            JournalCommit { entries, journaled_at: Some(done), ..JournalCommit::default() };
        self.commits.send(commit).await.ok()?;
        let sealed_ms = Some(sealed.await.ok()?);
        debug!(block = number, "seal ended");

        let execution = BlockExecution::new(number, &slices);
        let block = {
            let chain = self.handles.chain.read().await;
            let proof = || chain.proof_at(number, &MESSAGE_PASSER, &[]);
            let proof = block_in_place(proof).expect("invariant: the newest states are kept");
            let times = StoredTimes { sealed_ms, parts: std::mem::take(&mut durable.times) };
            let sealed = sealed_block(&outcome, plan.origin, durable.rows.clone(), proof, times);
            self.checkpoints.lock().await.push(&chain, outcome).await;
            sealed
        };
        self.blocks_to_index
            .send(BlockToIndex { execution, unindexed: durable.unindexed, block })
            .await
            .ok()
    }
}

/// Writes the index and then moves the head.
#[derive(Debug)]
pub(crate) struct Indexer {
    pub(crate) handles: Arc<NodeHandles>,
    pub(crate) blocks_to_index: mpsc::Receiver<BlockToIndex>,
    pub(crate) head: Arc<watch::Sender<u64>>,
}

impl Indexer {
    /// Indexes blocks until the sealer ends.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let mut group = Vec::new();
        while self.blocks_to_index.recv_many(&mut group, BLOCKS_TO_INDEX_MAX).await > 0 {
            if let Err(error) = self.index(&mut group).await {
                self.handles.fail(format!("{error:#}"));
                return Err(error);
            }
        }
        Ok(())
    }

    async fn index(&self, group: &mut Vec<BlockToIndex>) -> anyhow::Result<()> {
        let (mut unindexed, mut blocks, mut refused) =
            (UnindexedTxs::default(), Vec::new(), Vec::new());
        let mut last = None;
        for BlockToIndex { execution, unindexed: later, block } in group.drain(..) {
            refused.extend(later.refused().keys().copied());
            unindexed.extend(later);
            unindexed.include(block.hashes.iter().copied());
            last = Some((block.block.header.number, block.rows.end, execution));
            blocks.push(block);
        }
        let Some((number, to, execution)) = last else { return Ok(()) };
        let (accepted, still_refused) = unindexed.into_parts();
        let batch = IndexBatch { to, rewind: None, accepted, blocks, refused: still_refused };
        debug!(block = number, "index begins");
        self.handles.chain.database.index(&batch).await.context("cannot write the index")?;
        debug!(block = number, "index ended");
        *self.handles.chain.last_execution.write().await = Some(execution);
        self.handles.transactions.preconfirmations.evict_indexed(number, refused.iter(), || {
            self.head.send_replace(number);
        });
        for SealedBlock { hash, block, hashes, .. } in &batch.blocks {
            info!(
                block = block.header.number,
                %hash,
                transactions = hashes.len(),
                gas_used = block.header.gas_used,
                "block sealed"
            );
        }
        Ok(())
    }
}
