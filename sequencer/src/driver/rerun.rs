//! Runs the sequencer's own blocks again on top of an inbox entry that it did not expect.
//!
//! # Job
//!
//! A forced entry, or the tail blocks of a batch, may come before blocks that are not posted yet or
//! whose batch is in flight. Those blocks keep their transactions, the order of them, and their
//! distances in time. They lose the deposits that the entry took, and take its origin if that is
//! newer.
//!
//! Invariant: derivation of a batch in flight gives the same blocks. Both count deposits from where
//! the batch began, and times from the parent.

use std::ops::Range;

use alloy_primitives::B256;
use turnpike_protocol::{
    BlockInput, ChainConfig, DepositError, Origin, Parent, QueuedDeposit, SignedTx, block_time,
};

use crate::{builder::deposits_of_block, tracker::DerivedBlock};

/// What decides the blocks on top of an unexpected entry, or of one that has grown old.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnexpectedEntry {
    /// Origin of the entry's blocks.
    pub(super) origin: Origin,
    /// L1 time of the entry or of a later L1 block, in seconds. No entry that follows has an
    /// earlier one.
    pub(super) l1_time: u64,
    /// Number of the queue's deposits that entries have consumed.
    pub(super) deposits: u64,
    /// Whether its blocks come from a batch, which may hold blocks that were taken back.
    pub(super) is_batch: bool,
}

/// A block that was taken back.
#[derive(Clone, Debug)]
struct TakenBlock {
    /// Milliseconds since the block before it.
    step_ms: u64,
    origin: Origin,
    /// End of its deposits among all that were taken back.
    deposits_end: usize,
    transactions: Vec<SignedTx>,
}

/// Blocks that were taken back, in order.
#[derive(Clone, Debug)]
pub(super) struct TakenBlocks {
    blocks: Vec<TakenBlock>,
    /// Their deposits, consecutive in the queue.
    deposits: Vec<QueuedDeposit>,
    /// Time of the last one, in milliseconds.
    time_ms: u64,
}

impl TakenBlocks {
    /// No blocks. The one before them has time `parent_ms`.
    pub(super) const fn after(parent_ms: u64) -> Self {
        Self { blocks: Vec::new(), deposits: Vec::new(), time_ms: parent_ms }
    }

    /// Adds the next block.
    pub(super) fn push(
        &mut self,
        time_ms: u64,
        origin: Origin,
        deposits: Vec<QueuedDeposit>,
        transactions: Vec<SignedTx>,
    ) {
        let step_ms = time_ms.saturating_sub(self.time_ms);
        self.time_ms = time_ms;
        self.deposits.extend(deposits);
        let deposits_end = self.deposits.len();
        self.blocks.push(TakenBlock { step_ms, origin, deposits_end, transactions });
    }

    /// Removes the blocks that `batch` holds: those with the same transactions.
    pub(super) fn remove_posted(&mut self, batch: &[DerivedBlock]) {
        let hashes = |block: &DerivedBlock| -> Vec<B256> {
            block.input.transactions.iter().map(|tx| tx.tx_hash()).collect()
        };
        let mut posted: Vec<_> = batch.iter().map(hashes).collect();
        // These may be tail blocks, which no block of the sequencer became.
        while posted.pop_if(|hashes| hashes.is_empty()).is_some() {}
        let mut from = 0;
        for hashes in posted {
            let is_same = |block: &TakenBlock| {
                block.transactions.iter().map(SignedTx::hash).eq(hashes.iter().copied())
            };
            // Blocks without transactions are alike, so only the next one counts.
            let searched = if hashes.is_empty() { 1 } else { usize::MAX };
            let found = self.blocks.iter().skip(from).take(searched).position(is_same);
            if let Some(at) = found {
                self.blocks.remove(from + at);
                from += at;
            }
        }
    }

    /// The blocks on top of `parent`, the entry's last block.
    pub(super) fn on_top(
        self,
        config: &ChainConfig,
        entry: &UnexpectedEntry,
        mut parent: Parent,
    ) -> Result<Vec<DerivedBlock<SignedTx>>, DepositError> {
        let Self { blocks, deposits, .. } = self;
        let mut next = entry.deposits;
        let mut run = |TakenBlock { step_ms, origin, deposits_end, transactions }| {
            let origin = if origin.entry < entry.origin.entry { entry.origin } else { origin };
            let left = &deposits[left_of(&deposits, next, deposits_end)];
            let queued = deposits_of_block(config, left)?;
            next += queued.len() as u64;
            let time_ms = block_time(config, parent.time_ms, &origin, entry.l1_time, Some(step_ms));
            let input = BlockInput::new(config, parent, origin, time_ms, &queued, transactions)?;
            parent = input.as_parent();
            Ok(DerivedBlock { input, queued })
        };
        blocks.into_iter().map(&mut run).collect()
    }
}

/// The deposits up to `end` that are left in the queue, from deposit `next` on.
fn left_of(deposits: &[QueuedDeposit], next: u64, end: usize) -> Range<usize> {
    let first = deposits.first().map_or(next, |queued| queued.deposit.index);
    // Those before the first stay in the queue, so no later one can be taken.
    let start = next.checked_sub(first).and_then(|start| usize::try_from(start).ok());
    let start = start.unwrap_or(usize::MAX).min(end);
    start..end
}
