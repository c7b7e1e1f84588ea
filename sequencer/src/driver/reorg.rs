//! The end of the chain taken back, because L1 holds other blocks or has dropped what ours were made from.
//!
//! ```text
//! producer stands still ─► rewind state ─► run L1's blocks ─► journal: one append ─► index ─► pool, heads
//! ```
//!
//! Only the journal outlives a crash, and it changes at once: whoever stops before finds the old chain at the next start, and
//! L1 demands the same again; whoever stops after finds the new one.

use std::{collections::HashSet, sync::Arc};

use alloy_primitives::{Address, B256, keccak256};
use anyhow::{Context as _, ensure};
use tokio::task::block_in_place;
use tracing::{info, warn};
use turnpike_executor::{BlockTx, Chain, ExecutedTx};
use turnpike_protocol::{SignedTx, decode_transaction};
use turnpike_storage::{
    AcceptedTx, IndexBatch, IndexRewind, JournalEntry, JournalTx, ReorgEntry, SliceEntry,
    unix_milliseconds,
};

use super::Driver;
use crate::{
    PooledTx, Refusal,
    builder::{block_bytes_max, bytes_in_block},
    derived_block::{ExecutedDerivedBlock, run},
    producer::HaltedProducer,
    restore::restore_to,
    tracker::DerivedBlock,
};

/// Blocks read at a time.
const BLOCKS_STEP: u64 = 100;

/// First byte of a deposit's encoding.
const DEPOSIT_TYPE: u8 = 0x7e;

/// What the blocks taken back held.
#[derive(Debug, Default)]
struct RewoundTxs {
    /// All transactions, each with its block.
    all: Vec<(B256, u64)>,
    /// Those of users, in order.
    users: Vec<PooledTx>,
}

/// Points at which a test can have a reorganisation stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReorgStep {
    /// The state was taken back.
    Rewound,
    /// L1's blocks have run.
    Executed,
    /// The journal has changed.
    Journaled,
}

impl Driver {
    /// Takes back all blocks from `first` on, the open one included, and puts `blocks` there. The transactions of those taken
    /// back wait again, as far as they can still be included. Afterwards blocks hold so many `deposits` of the queue.
    pub(super) async fn reorg(
        &mut self,
        first: u64,
        blocks: Vec<DerivedBlock>,
        reason: String,
        deposits: u64,
    ) -> anyhow::Result<()> {
        let HaltedProducer { open, mut unindexed, resume } = self.halt().await?;
        let before = self.head();
        let taken_back = self.taken_back(first, open.as_deref()).await?;
        let is_void = before >= first || open.is_some();
        if is_void {
            let transactions = taken_back.users.len();
            warn!(first, last = before, transactions, reason, "blocks are taken back");
        }
        let shared = Arc::clone(&self.shared);
        if shared.chain.read().await.oldest_state() >= first {
            self.rebuild(first - 1).await?;
        }
        let mut chain = shared.chain.write().await;
        ensure!(block_in_place(|| chain.rewind(first - 1)), "block {} is unknown", first - 1);
        let mut checkpoints = self.checkpoints.lock().await;
        checkpoints.rewind(first - 1);
        self.passed(ReorgStep::Rewound)?;
        let ran = block_in_place(|| run(&mut chain, blocks))?;
        self.passed(ReorgStep::Executed)?;

        let included = ran.iter().flat_map(|ran| &ran.outcome.transactions);
        let included: HashSet<_> = included.map(|tx| tx.envelope().tx_hash()).collect();
        let (waiting, mut refused) = self.sort_out(&chain, &included, &reason, &taken_back);
        refused.extend(self.settle_pool(&chain, &waiting, &included));
        let accepted: Vec<_> = waiting.iter().map(accepted).collect();
        let mut entries = Vec::new();
        if is_void {
            entries.push(JournalEntry::Reorg(ReorgEntry {
                first_block: first,
                reason: reason.clone(),
                waiting: accepted.clone(),
                refused: refused.clone(),
            }));
        } else if !refused.is_empty() {
            let refused = refused.clone();
            entries.push(JournalEntry::Slice(SliceEntry { refused, ..SliceEntry::default() }));
        }
        let before_blocks = entries.len() as u64;
        entries.extend(ran.iter().flat_map(ExecutedDerivedBlock::entries));
        let at_ms = unix_milliseconds();
        let rows = shared.database.append_at(&entries, at_ms).await;
        let rows = rows.context("cannot replace the journal's end")?;
        self.journal_end.send_replace(rows.end);
        self.passed(ReorgStep::Journaled)?;

        let first_rows = (rows.start + before_blocks..).step_by(ExecutedDerivedBlock::ROWS);
        let sealed = ran.iter().zip(first_rows).map(|(ran, row)| ran.sealed(row, at_ms));
        let rewind = IndexRewind { first_block: first, reason, reorged: taken_back.all };
        unindexed.accept(accepted);
        unindexed.refuse(refused);
        unindexed.include(included);
        let (accepted, refused) = unindexed.into_parts();
        let batch = IndexBatch {
            to: rows.end,
            rewind: is_void.then_some(rewind),
            accepted,
            blocks: sealed.collect(),
            refused,
        };
        if is_void {
            shared.notifications.before_rewind(&shared, first).await;
        }
        shared.database.index(&batch).await.context("cannot write the index")?;
        {
            let mut production = self.production();
            production.deposits_consumed = deposits;
            production.backlog.truncate(first);
        }
        let head = chain.head().header.number;
        self.head.send_replace(head);
        shared.preconfirmations.rewind(&batch.refused, ran.iter().map(|ran| &ran.outcome));
        for ran in ran {
            checkpoints.push(&chain, ran.outcome).await;
        }
        info!(first, head, pending = waiting.len(), "the chain is as L1 has it");
        // Everything fits together again.
        resume.send(()).ok().context("the producer has ended")
    }

    /// What blocks from `first` on hold, and what ran in the open one.
    async fn taken_back(
        &self,
        first: u64,
        open: Option<&[Arc<ExecutedTx>]>,
    ) -> anyhow::Result<RewoundTxs> {
        let (mut found, head) = (RewoundTxs::default(), self.head());
        // What L1 gave was not received here before.
        let now = unix_milliseconds();
        let mut next = first;
        while next <= head {
            let last = head.min(next + BLOCKS_STEP - 1);
            for block in self.shared.database.blocks(next, last).await? {
                let times = self.shared.database.block_times(block.header.number).await?.parts;
                for (position, receipt) in block.receipts.into_iter().enumerate() {
                    let (raw, sender) = (receipt.transaction, receipt.sender);
                    found.all.push((keccak256(&raw), block.header.number));
                    if raw.first() != Some(&DEPOSIT_TYPE) {
                        let tx = SignedTx::new_unchecked(decode_transaction(&raw)?, sender);
                        let received_ms = times.of(position).received_ms.unwrap_or(now);
                        found.users.push(PooledTx { tx, raw, sender, arrival: 0, received_ms });
                    }
                }
            }
            next = last + 1;
        }
        for executed in open.into_iter().flatten() {
            if let BlockTx::User(tx) = &executed.tx {
                found.all.push((tx.hash(), head + 1));
                let promise = self.shared.preconfirmed(&tx.hash());
                let received_ms = promise.and_then(|promise| promise.times().received_ms);
                let (received_ms, sender) = (received_ms.unwrap_or(now), executed.sender);
                let (raw, tx) = (tx.encoded().into(), tx.clone());
                found.users.push(PooledTx { tx, raw, sender, arrival: 0, received_ms });
            }
        }
        Ok(found)
    }

    /// Has the journal run again up to `block`, whose state is not kept any more, and makes that the chain.
    async fn rebuild(&self, block: u64) -> anyhow::Result<()> {
        info!(block, "the state is not kept any more: the journal is run again");
        let mut checkpoints = self.checkpoints.lock().await;
        checkpoints.stop().await;
        let genesis = Chain::from_genesis(&self.genesis);
        let (directory, execution) = (self.config.state.clone(), self.config.execution);
        let restored = restore_to(genesis, self.database(), &directory, execution, block).await?;
        (*self.shared.chain.write().await, *checkpoints) = restored;
        checkpoints.set_interval(self.config.checkpoint_blocks);
        Ok(())
    }

    /// The transactions taken back that wait again, before all that wait now and in the order that they had; and those that can
    /// no longer be included, each with the reason. `chain` is the new one.
    fn sort_out(
        &self,
        chain: &Chain,
        included: &HashSet<B256>,
        reason: &str,
        taken_back: &RewoundTxs,
    ) -> (Vec<PooledTx>, Vec<(B256, String)>) {
        let (mut waiting, mut refused) = (Vec::new(), Vec::new());
        for tx in &taken_back.users {
            let hash = tx.tx.hash();
            if included.contains(&hash) {
                continue;
            }
            match check_again(chain, tx) {
                Ok(()) => waiting.push(tx.clone()),
                Err(refusal) => refused.push((hash, format!("{refusal}, after {reason}"))),
            }
        }
        let mut production = self.production();
        production.arrivals.start -= waiting.len() as u64;
        for (tx, arrival) in waiting.iter_mut().zip(production.arrivals.start..) {
            tx.arrival = arrival;
        }
        (waiting, refused)
    }

    /// Tells the pool where nonces stand, and gives it back what waits again. Returns what leaves it for that, other than into blocks.
    fn settle_pool(
        &self,
        chain: &Chain,
        waiting: &[PooledTx],
        included: &HashSet<B256>,
    ) -> Vec<(B256, String)> {
        let nonce_of = |address: &Address| chain.state().account(address).unwrap_or_default().nonce;
        let mut pool = self.shared.pool_mut();
        let mut refused = Vec::new();
        for sender in pool.senders() {
            let next = nonce_of(&sender);
            for tx in pool.set_nonce(sender, next) {
                let (hash, nonce) = (tx.tx.hash(), tx.tx.nonce());
                if !included.contains(&hash) {
                    refused.push((hash, Refusal::NonceTooLow { next, nonce }.to_string()));
                }
            }
        }
        let now = std::time::Instant::now();
        for tx in waiting {
            let (hash, nonce) = (tx.tx.hash(), nonce_of(&tx.sender));
            if let Err(refusal) = pool.restore(tx.clone(), nonce, now) {
                refused.push((hash, refusal.to_string()));
            }
        }
        refused
    }

    #[cfg_attr(
        not(test),
        allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "stops in tests only")
    )]
    fn passed(&self, step: ReorgStep) -> anyhow::Result<()> {
        #[cfg(test)]
        ensure!(self.stop_after != Some(step), "stopped after {step:?}");
        let _ = step;
        Ok(())
    }
}

fn accepted(tx: &PooledTx) -> AcceptedTx {
    let (raw, sender) = (tx.raw.clone(), tx.sender);
    let (arrival, received_ms) = (tx.arrival, tx.received_ms);
    AcceptedTx { arrival, received_ms, tx: JournalTx { raw, sender } }
}

/// Whether a transaction that was in a block can be in one again.
fn check_again(chain: &Chain, tx: &PooledTx) -> Result<(), Refusal> {
    let limit = block_bytes_max(chain.config());
    if bytes_in_block(&tx.raw) > limit {
        return Err(Refusal::Oversized { size: tx.raw.len(), limit });
    }
    let (next, nonce) =
        (chain.state().account(&tx.sender).unwrap_or_default().nonce, tx.tx.nonce());
    if nonce < next {
        return Err(Refusal::NonceTooLow { next, nonce });
    }
    Ok(())
}
