//! A reorg: rewinds the chain's newest blocks because L1 holds others or dropped the data they were
//! made from. Where L1 holds others, the sequencer's own blocks run again on top of them.
//!
//! # Job
//!
//! ```text
//! halt producer ─► rewind state ─► execute L1's blocks, then own ones ─► journal (one append) ─► index ─► heads
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

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use alloy_primitives::{Address, B256, keccak256};
use anyhow::{Context as _, ensure};
use tokio::task::block_in_place;
use tracing::{info, warn};
use turnpike_executor::{BlockTx, Chain, SkipReason};
use turnpike_protocol::{BatchFault, Parent, SignedTx, decode_transaction};
use turnpike_storage::{
    BlockOpening, IndexBatch, IndexRewind, JournalBlock, JournalEntry, JournalTx, ReorgEntry,
    SliceEntry, unix_milliseconds,
};

use super::{
    Driver,
    rerun::{TakenBlocks, UnexpectedEntry},
};
use crate::{
    PooledTx, Refusal,
    builder::{BlockPlan, block_bytes_max, bytes_in_block},
    derived_block::{ExecutedDerivedBlock, execute_derived},
    producer_event::{HaltedProducer, VoidBlock},
    restore::{journal_block, restore_to},
    tracker::{DerivedBlock, recover_signers},
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

impl RewoundTxs {
    /// Sets when the transactions of blocks that ran again were received.
    fn set_received(&self, blocks: &mut [ExecutedDerivedBlock]) {
        let received: HashMap<_, _> =
            self.users.iter().map(|tx| (tx.tx.hash(), tx.received_ms)).collect();
        let now = unix_milliseconds();
        for block in blocks {
            block.set_received(|hash| received.get(hash).copied().unwrap_or(now));
        }
    }
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

/// What becomes of the sequencer's blocks that a reorg rewinds.
#[derive(Clone, Copy, Debug)]
pub(super) enum RewoundBlocks {
    /// Their transactions wait again.
    ToPool,
    /// They run again on top of this entry.
    OnTop(UnexpectedEntry),
}

/// Why blocks are rewound.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum ReorgReason {
    /// An entry takes deposits that were overdue.
    #[error("inbox entry {index} was forced")]
    Forced { index: u64 },
    #[error("inbox entry {index} holds other blocks")]
    OtherBlocks { index: u64 },
    #[error("inbox entry {index} holds an invalid batch: {fault}")]
    InvalidBatch { index: u64, fault: BatchFault },
    /// An L1 reorg has dropped what a block was made from.
    #[error("L1 has dropped {what}")]
    L1Dropped { what: String },
    /// No batch could be posted for long.
    #[error("the origin, inbox entry {index}, has become too old")]
    OldOrigin { index: u64 },
}

impl ReorgReason {
    /// The code, and what happened, as clients get them.
    fn coded(&self) -> String {
        let code = match self {
            Self::Forced { .. } => "forced",
            Self::OtherBlocks { .. } => "other-blocks",
            Self::InvalidBatch { .. } => "invalid-batch",
            Self::L1Dropped { .. } => "l1-reorg",
            Self::OldOrigin { .. } => "old-origin",
        };
        format!("{code}: {self}")
    }
}

/// A reorg to perform.
#[derive(Debug)]
pub(super) struct ReorgPlan {
    /// First block to rewind. The open block goes, too.
    pub(super) first: u64,
    /// L1's blocks in its place.
    pub(super) blocks: Vec<DerivedBlock>,
    /// Why, for clients and logs.
    pub(super) reason: ReorgReason,
    /// Number of the queue's deposits that the blocks up to the last of `blocks` hold.
    pub(super) deposits: u64,
    /// What becomes of the rewound blocks.
    pub(super) rewound: RewoundBlocks,
}

impl Driver {
    /// Rewinds blocks and appends L1's. The sequencer's own blocks run again on top, or their
    /// transactions wait again, as far as a block can still include them.
    pub(super) async fn reorg(&mut self, plan: ReorgPlan) -> anyhow::Result<()> {
        let ReorgPlan { first, blocks, reason, mut deposits, rewound: rewound_blocks } = plan;
        let (reason, coded) = (reason.to_string(), reason.coded());
        let HaltedProducer { open, mut unindexed, resume } = self.halt().await?;
        let before = self.head();
        let rewound = self.rewound_txs(first, open.as_ref()).await?;
        let is_rewind = before >= first || open.is_some();
        if is_rewind {
            let transactions = rewound.users.len();
            warn!(first, last = before, transactions, reason, "rewinding blocks");
        }
        let rerun = match rewound_blocks {
            RewoundBlocks::OnTop(entry) if is_rewind => {
                self.blocks_on_top(first, open, &entry, &blocks).await?
            }
            _ => Vec::new(),
        };
        deposits += rerun.iter().map(|block| block.queued.len() as u64).sum::<u64>();
        let derived = blocks.len();
        let mut blocks = block_in_place(|| recover_signers(blocks));
        blocks.extend(rerun);
        let handles = Arc::clone(&self.handles);
        if handles.chain.read().await.oldest_state() >= first {
            self.rebuild(first - 1).await?;
        }
        let mut chain = handles.chain.write().await;
        ensure!(block_in_place(|| chain.rewind(first - 1)), "block {} is unknown", first - 1);
        let mut checkpoints = self.checkpoints.lock().await;
        checkpoints.rewind(first - 1);
        self.stop_after(ReorgStep::Rewound)?;
        let mut ran = block_in_place(|| execute_derived(&mut chain, blocks))?;
        self.stop_after(ReorgStep::Executed)?;

        rewound.set_received(&mut ran[derived..]);
        let included = ran.iter().flat_map(|ran| &ran.outcome.transactions);
        let included: HashSet<_> = included.map(|tx| tx.envelope().tx_hash()).collect();
        let skipped = ran[derived..].iter().flat_map(|ran| &ran.outcome.skipped);
        let skipped: HashMap<_, _> = skipped.map(|skip| (skip.hash, &skip.reason)).collect();
        let (waiting, mut refused) =
            self.split_rewound(&chain, &included, &skipped, &reason, &rewound);
        refused.extend(self.update_pool(&chain, &waiting, &included));
        let accepted: Vec<_> = waiting.iter().map(PooledTx::to_accepted).collect();
        let mut entries = Vec::new();
        if is_rewind {
            entries.push(JournalEntry::Reorg(ReorgEntry {
                first_block: first,
                reason: coded.clone(),
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
        let rewind = IndexRewind { first_block: first, reason: coded, reorged: rewound.all };
        unindexed.accept(&accepted);
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
            ran[derived..].iter().for_each(|ran| ran.push_to(&mut production.backlog));
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

    /// The blocks from `first` on and the open one, as they run on top of `derived`, the blocks of
    /// an unexpected entry, if it has any.
    async fn blocks_on_top(
        &self,
        first: u64,
        open: Option<VoidBlock>,
        entry: &UnexpectedEntry,
        derived: &[DerivedBlock],
    ) -> anyhow::Result<Vec<DerivedBlock<SignedTx>>> {
        let mut taken = self.taken_blocks(first).await?;
        let parent = match derived.last() {
            Some(last) => last.input.as_parent(),
            None => self.parent_of(first).await?,
        };
        if let Some(VoidBlock { plan: BlockPlan { time_ms, origin, deposits }, users }) = open {
            let users = users.iter().filter_map(|executed| match &executed.tx {
                BlockTx::User(tx) => Some(tx.clone()),
                BlockTx::Deposit(_) => None,
            });
            taken.push(time_ms, origin, deposits, users.collect());
        }
        if entry.is_batch {
            taken.remove_posted(derived);
        }
        Ok(taken.on_top(&self.handles.chain.config, entry, parent)?)
    }

    /// The block before `first`.
    async fn parent_of(&self, first: u64) -> anyhow::Result<Parent> {
        let (number, database) = (first - 1, self.database());
        if number == 0 {
            return Ok(Parent { number, time_ms: self.genesis.timestamp_ms(), origin: None });
        }
        let block = database.sealed_blocks(number, 1).await?;
        let block = block.first().with_context(|| format!("block {number} is missing"))?;
        Ok(Parent { number, time_ms: block.time_ms, origin: Some(block.origin.entry) })
    }

    /// The complete blocks from `first` on.
    async fn taken_blocks(&self, first: u64) -> anyhow::Result<TakenBlocks> {
        let database = self.database();
        let before = database.block(first - 1).await?;
        let before = before.map(|block| turnpike_protocol::time_ms(&block.header));
        let mut taken = TakenBlocks::after(before.unwrap_or(1_000 * self.genesis.timestamp));
        for number in first..=self.head() {
            let rows = database.rows_of(number).await?;
            let rows = rows.with_context(|| format!("the index does not hold block {number}"))?;
            let JournalBlock { opening, transactions, .. } =
                journal_block(database, number, rows).await?;
            let signed = transactions.iter().map(signed).collect::<anyhow::Result<_>>()?;
            let BlockOpening { time_ms, origin, deposits } = opening;
            taken.push(time_ms, origin, deposits, signed);
        }
        Ok(taken)
    }

    /// Transactions of the blocks from `first` on and of the open one.
    async fn rewound_txs(
        &self,
        first: u64,
        open: Option<&VoidBlock>,
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
        for executed in open.into_iter().flat_map(|open| &open.users) {
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
    /// `chain` is the new one. Of the transactions that it has skipped, only those wait for which a
    /// block had too little room left.
    fn split_rewound(
        &self,
        chain: &Chain,
        included: &HashSet<B256>,
        skipped: &HashMap<B256, &SkipReason>,
        reason: &str,
        rewound: &RewoundTxs,
    ) -> (Vec<PooledTx>, Vec<(B256, String)>) {
        let (mut waiting, mut refused) = (Vec::new(), Vec::new());
        for tx in &rewound.users {
            let hash = tx.tx.hash();
            if included.contains(&hash) {
                continue;
            }
            match skipped.get(&hash) {
                Some(skip) if !skip.lacks_room() => {
                    let skipped = Refusal::Skipped { reason: skip.to_string() };
                    refused.push((hash, format!("{skipped}, after {reason}")));
                    continue;
                }
                _ => {}
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

/// A transaction of the journal. Without a sender, its signature is bad.
fn signed(tx: &JournalTx) -> anyhow::Result<SignedTx> {
    let JournalTx { raw, sender } = tx;
    let tx = decode_transaction(raw)?;
    Ok(if *sender == Address::ZERO {
        SignedTx::recover(tx)
    } else {
        SignedTx::new_unchecked(tx, *sender)
    })
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
