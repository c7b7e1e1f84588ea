//! What becomes of a complete block: its roots and header, beside the next block; its row in the journal; the index; and then
//! everybody may see it.
//!
//! ```text
//! producer ─► sealer: roots, header ─► journal: `Sealed` ─► checkpoints ─► indexer: index ─► head
//! ```
//!
//! Both queues are short: a disk or a CPU that does not keep up slows the producer down, it does not fill the memory.

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
    BlockExecution, Shared,
    builder::BlockPlan,
    checkpoints::Checkpoints,
    committer::{DurableRows, JournalCommit},
    sealed::sealed_block,
    unindexed::UnindexedTxs,
};

/// Blocks that wait for their roots, at most.
pub(crate) const CLOSINGS_WAITING_MAX: usize = 1;

/// Blocks that wait for the index, at most, and that go there together if they do: most of what one changes there the next one changes
/// again.
pub(crate) const INDEXINGS_WAITING_MAX: usize = 16;

/// A block that is complete.
#[derive(Debug)]
pub(crate) struct BlockToSeal {
    pub(crate) block: ClosedBlock,
    pub(crate) plan: BlockPlan,
    pub(crate) slices: Vec<SliceReport>,
    /// Told when its last part is durable.
    pub(crate) durable: oneshot::Receiver<DurableRows>,
}

/// A block that the index is to hold.
#[derive(Debug)]
pub(crate) struct BlockToIndex {
    execution: BlockExecution,
    /// What was said since the block before of transactions that are in neither.
    unindexed: UnindexedTxs,
    block: SealedBlock,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Sealer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) closings: mpsc::Receiver<BlockToSeal>,
    pub(crate) commits: mpsc::Sender<JournalCommit>,
    pub(crate) indexings: mpsc::Sender<BlockToIndex>,
    pub(crate) checkpoints: Arc<Mutex<Checkpoints>>,
}

impl Sealer {
    /// Seals blocks for as long as there can be any.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        while let Some(closing) = self.closings.recv().await {
            if self.seal(closing).await.is_none() {
                // The committer has ended, and knows why.
                return Ok(());
            }
        }
        Ok(())
    }

    async fn seal(&self, closing: BlockToSeal) -> Option<()> {
        let BlockToSeal { block, plan, slices, durable } = closing;
        let number = block.number();
        debug!(block = number, "seal begins");
        let outcome = block_in_place(|| block.complete());
        // Of the newest block that everybody sees there is a state.
        let seen = *self.shared.head.borrow();
        self.shared.chain.write().await.set_head(&outcome, seen);
        let mut durable = durable.await.ok()?;
        let (done, sealed) = oneshot::channel();
        let entry =
            SealedEntry { number, hash: outcome.hash(), state_root: outcome.header.state_root };
        let entries = vec![JournalEntry::Sealed(entry)];
        let commit = JournalCommit { entries, is_durable: Some(done), ..JournalCommit::default() };
        self.commits.send(commit).await.ok()?;
        let sealed_ms = Some(sealed.await.ok()?);
        debug!(block = number, "seal ended");

        let execution = BlockExecution::new(number, &slices);
        let block = {
            let chain = self.shared.chain.read().await;
            let proof = || chain.proof_at(number, &MESSAGE_PASSER, &[]);
            let proof = block_in_place(proof).expect("invariant: the newest states are kept");
            let times = StoredTimes { sealed_ms, parts: std::mem::take(&mut durable.times) };
            let sealed = sealed_block(&outcome, plan.origin, durable.rows.clone(), proof, times);
            self.checkpoints.lock().await.push(&chain, outcome).await;
            sealed
        };
        self.indexings
            .send(BlockToIndex { execution, unindexed: durable.unindexed, block })
            .await
            .ok()
    }
}

/// Writes the index, and then moves the head.
#[derive(Debug)]
pub(crate) struct Indexer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) indexings: mpsc::Receiver<BlockToIndex>,
    pub(crate) head: Arc<watch::Sender<u64>>,
}

impl Indexer {
    /// Writes the index for as long as blocks can come.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let mut group = Vec::new();
        while self.indexings.recv_many(&mut group, INDEXINGS_WAITING_MAX).await > 0 {
            if let Err(error) = self.index(&mut group).await {
                self.shared.fail(format!("{error:#}"));
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
        self.shared.database.index(&batch).await.context("cannot write the index")?;
        debug!(block = number, "index ended");
        *self.shared.last_execution.write().await = Some(execution);
        self.shared.preconfirmations.indexed(number, refused.iter(), || {
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
