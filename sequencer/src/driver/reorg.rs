//! A reorg: rewinds the chain's newest blocks because L1 holds others or dropped the data they were
//! made from.
//!
//! # Job
//!
//! ```text
//! halt producer ─► rewind state ─► execute derived blocks ─► journal (one append) ─► index ─► heads
//! ```
//!
//! # Recovery
//!
//! Only the journal survives a crash, and one append changes it. After a crash before the append,
//! the next start has the old chain and L1 demands the same reorg again. After a crash after
//! the append, the next start has the new chain.
//!
//! # Durability
//!
//! The append holds the rewind, the transactions that wait again, the refusals and the new blocks.
//! Nothing is published before it is durable.

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
    derived_block::{ExecutedDerivedBlock, execute_derived},
    producer_event::HaltedProducer,
    restore::restore_to,
    tracker::DerivedBlock,
};

/// Blocks read at a time.
const BLOCKS_STEP: u64 = 100;

/// First byte of an encoded deposit.
const DEPOSIT_TYPE: u8 = 0x7e;

/// Transactions of the rewound blocks.
#[derive(Debug, Default)]
struct RewoundTxs {
    /// All transactions, each with its block.
    all: Vec<(B256, u64)>,
    /// User transactions, in order.
    users: Vec<PooledTx>,
}

/// Steps after which a test can interrupt a reorg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReorgStep {
    /// The state was rewound.
    Rewound,
    /// The derived blocks were executed.
    Executed,
    /// The journal was changed.
    Journaled,
}

impl Driver {
    /// Rewinds all blocks from `first` on, the open one included, and appends `blocks`.
    /// Transactions of the rewound blocks wait again, as far as a block can still include them.
    /// Afterwards the chain's blocks hold the queue's first `deposits` deposits.
    pub(super) async fn reorg(
        &mut self,
        first: u64,
        blocks: Vec<DerivedBlock>,
        reason: String,
        deposits: u64,
    ) -> anyhow::Result<()> {
        let HaltedProducer { open, mut unindexed, resume } = self.halt().await?;
        let before = self.head();
        let rewound = self.rewound_txs(first, open.as_deref()).await?;
        let is_rewind = before >= first || open.is_some();
        if is_rewind {
            let transactions = rewound.users.len();
            warn!(first, last = before, transactions, reason, "rewinding blocks");
        }
        let handles = Arc::clone(&self.handles);
        if handles.chain.read().await.oldest_state() >= first {
            self.rebuild(first - 1).await?;
        }
        let mut chain = handles.chain.write().await;
        ensure!(block_in_place(|| chain.rewind(first - 1)), "block {} is unknown", first - 1);
        let mut checkpoints = self.checkpoints.lock().await;
        checkpoints.rewind(first - 1);
        self.stop_after(ReorgStep::Rewound)?;
        let ran = block_in_place(|| execute_derived(&mut chain, blocks))?;
        self.stop_after(ReorgStep::Executed)?;

        let included = ran.iter().flat_map(|ran| &ran.outcome.transactions);
        let included: HashSet<_> = included.map(|tx| tx.envelope().tx_hash()).collect();
        let (waiting, mut refused) = self.split_rewound(&chain, &included, &reason, &rewound);
        refused.extend(self.update_pool(&chain, &waiting, &included));
        let accepted: Vec<_> = waiting.iter().map(accepted).collect();
        let mut entries = Vec::new();
        if is_rewind {
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
        let rows = handles.chain.database.append_at(&entries, at_ms).await;
        let rows = rows.context("cannot replace the journal's end")?;
        self.journal_end.send_replace(rows.end);
        self.stop_after(ReorgStep::Journaled)?;

        let first_rows = (rows.start + before_blocks..).step_by(ExecutedDerivedBlock::ROWS);
        let sealed = ran.iter().zip(first_rows).map(|(ran, row)| ran.sealed(row, at_ms));
        let rewind = IndexRewind { first_block: first, reason, reorged: rewound.all };
        unindexed.accept(accepted);
        unindexed.refuse(refused);
        unindexed.include(included);
        let (accepted, refused) = unindexed.into_parts();
        let batch = IndexBatch {
            to: rows.end,
            rewind: is_rewind.then_some(rewind),
            accepted,
            blocks: sealed.collect(),
            refused,
        };
        if is_rewind {
            handles.notifications.before_rewind(&handles.chain, first).await;
        }
        handles.chain.database.index(&batch).await.context("cannot write the index")?;
        {
            let mut production = self.production();
            production.deposits_consumed = deposits;
            production.backlog.truncate(first);
        }
        let head = chain.head().header.number;
        self.head.send_replace(head);
        handles
            .transactions
            .preconfirmations
            .rewind(&batch.refused, ran.iter().map(|ran| &ran.outcome));
        for ran in ran {
            checkpoints.push(&chain, ran.outcome).await;
        }
        info!(first, head, pending = waiting.len(), "reorg done");
        // Pool, state, journal, index and heads agree again.
        resume.send(()).ok().context("the producer has ended")
    }

    /// Transactions of the blocks from `first` on and of the open one.
    async fn rewound_txs(
        &self,
        first: u64,
        open: Option<&[Arc<ExecutedTx>]>,
    ) -> anyhow::Result<RewoundTxs> {
        let (mut found, head) = (RewoundTxs::default(), self.head());
        // This node did not receive the transactions of derived blocks, so they get the current
        // time.
        let now = unix_milliseconds();
        let mut next = first;
        while next <= head {
            let last = head.min(next + BLOCKS_STEP - 1);
            for block in self.handles.chain.database.blocks(next, last).await? {
                let times =
                    self.handles.chain.database.block_times(block.header.number).await?.parts;
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
                let promise = self.handles.transactions.preconfirmed(&tx.hash());
                let received_ms = promise.and_then(|promise| promise.times().received_ms);
                let (received_ms, sender) = (received_ms.unwrap_or(now), executed.sender);
                let (raw, tx) = (tx.encoded().into(), tx.clone());
                found.users.push(PooledTx { tx, raw, sender, arrival: 0, received_ms });
            }
        }
        Ok(found)
    }

    /// Executes the journal again up to `block`, whose state is no longer in memory, and replaces
    /// the chain with the result.
    async fn rebuild(&self, block: u64) -> anyhow::Result<()> {
        info!(block, "state not in memory: executing the journal again");
        let mut checkpoints = self.checkpoints.lock().await;
        checkpoints.stop().await;
        let genesis = Chain::from_genesis(&self.genesis);
        let (directory, execution) = (self.config.state.clone(), self.config.execution);
        let restored = restore_to(genesis, self.database(), &directory, execution, block).await?;
        (*self.handles.chain.write().await, *checkpoints) = restored;
        checkpoints.set_interval(self.config.checkpoint_blocks);
        Ok(())
    }

    /// Splits the rewound transactions into those that wait again, in their order and before all
    /// that wait already, and those that no block can include any more, each with the reason.
    /// `chain` is the new one.
    fn split_rewound(
        &self,
        chain: &Chain,
        included: &HashSet<B256>,
        reason: &str,
        rewound: &RewoundTxs,
    ) -> (Vec<PooledTx>, Vec<(B256, String)>) {
        let (mut waiting, mut refused) = (Vec::new(), Vec::new());
        for tx in &rewound.users {
            let hash = tx.tx.hash();
            if included.contains(&hash) {
                continue;
            }
            match check_includable(chain, tx) {
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

    /// Updates the pool's nonces and returns `waiting` to it. Returns the transactions that leave
    /// the pool without being included.
    fn update_pool(
        &self,
        chain: &Chain,
        waiting: &[PooledTx],
        included: &HashSet<B256>,
    ) -> Vec<(B256, String)> {
        let nonce_of = |address: &Address| chain.state().account(address).unwrap_or_default().nonce;
        let mut pool = self.handles.transactions.pool_mut();
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
    fn stop_after(&self, step: ReorgStep) -> anyhow::Result<()> {
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

/// Checks whether a rewound transaction can be included again.
fn check_includable(chain: &Chain, tx: &PooledTx) -> Result<(), Refusal> {
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
