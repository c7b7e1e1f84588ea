//! The pool: pending transactions by arrival or by effective tip, and by nonce for each sender.
//!
//! ```text
//! add ─► queue of its sender ─► in turn ─► pays the base fee ─┬─► pop_ready: by arrival
//!              │                   │                          └─► pop_highest_bidder: by tip
//!              │                   └ pays too little: waits for a lower base fee
//!              └ behind a gap: waits for the missing nonce, for `gap_timeout` at most
//! ```
//!
//! # Job
//!
//! The pool decides which transaction runs next, in either order; [`slice`](crate::slice) decides
//! which order. It is synchronous and takes the time as an argument. It returns every transaction
//! that it drops, so that the caller can record the reason.
//!
//! # Order
//!
//! A sender competes with its next transaction; the later ones wait for it. By tip, the highest
//! effective tip at the current base fee runs first, and of equal ones the first arrival.
//! Transactions that a reorg made pending again were promised once, so they bid above all others.
//!
//! # State
//!
//! In memory. The log of waiting transactions, beside the journal, holds the same; a restart restores
//! the pool from it.
//!
//! # Limits
//!
//! [`PoolLimits`] bounds transactions and bytes, in total and per sender, and nonce gaps. `eviction`
//! says what a full pool drops for a newcomer.

mod eviction;
mod limits;
#[cfg(test)]
mod model;
mod order;
mod queue;
#[cfg(test)]
pub(crate) mod tests;
mod transaction;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256};

pub(crate) use self::transaction::{ARRIVAL_FIRST, TxTotals};
pub use self::{limits::PoolLimits, transaction::PooledTx};
use self::{
    order::{Rank, SenderOrder},
    queue::{Gap, QueueHead, QueueListing, SenderQueue},
    transaction::least_above,
};
use crate::{Refusal, metrics::PoolMetrics};

/// See the module documentation.
#[derive(Debug)]
pub struct Pool {
    limits: PoolLimits,
    senders: HashMap<Address, SenderQueue>,
    by_hash: HashMap<B256, (Address, u64)>,
    order: SenderOrder,
    /// Bytes of all encodings.
    bytes: usize,
    /// The latest time that a caller passed.
    now: Instant,
    /// The newest slice that was too small for all that waited.
    small_slice: Option<SmallSlice>,
    metrics: PoolMetrics,
}

#[derive(Clone, Copy, Debug)]
struct SmallSlice {
    /// The lowest effective tip in it, in wei per gas.
    lowest_tip: u128,
    at: Instant,
}

/// How long a slice that was too small says which tip is needed.
const SMALL_SLICE_TIME: Duration = Duration::from_secs(10);

/// What an added transaction displaced.
#[derive(Debug, Default)]
pub struct Added {
    /// The sender's transaction with the same nonce.
    pub replaced: Option<PooledTx>,
    /// Transactions of other senders, evicted for its room.
    pub evicted: Vec<PooledTx>,
}

impl Pool {
    /// An empty pool. `now` is the current time.
    pub fn new(limits: PoolLimits) -> Self {
        Self {
            limits,
            senders: HashMap::new(),
            by_hash: HashMap::new(),
            order: SenderOrder::new(),
            bytes: 0,
            now: Instant::now(),
            small_slice: None,
            metrics: PoolMetrics::default(),
        }
    }

    /// Number of transactions.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether the pool is empty.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// Bytes of all encodings.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The pool's limits.
    pub const fn limits(&self) -> &PoolLimits {
        &self.limits
    }

    /// A transaction by its hash.
    pub fn get(&self, hash: &B256) -> Option<&PooledTx> {
        let (sender, nonce) = self.by_hash.get(hash)?;
        self.senders.get(sender)?.get(*nonce)
    }

    /// The nonce after the sender's last transaction without a gap before it; `None` if the sender
    /// has no transaction here.
    pub fn next_nonce(&self, sender: &Address) -> Option<u64> {
        self.senders.get(sender).map(SenderQueue::end)
    }

    /// A sender's transactions by nonce: those without a gap before them, and those behind a gap.
    pub fn of_sender(&self, sender: &Address) -> (Vec<&PooledTx>, Vec<&PooledTx>) {
        let Some(queue) = self.senders.get(sender) else { return Default::default() };
        (queue.in_turn().collect(), queue.behind_gap().collect())
    }

    /// All senders with transactions here.
    pub fn senders(&self) -> Vec<Address> {
        self.senders.keys().copied().collect()
    }

    /// Whether any sender's next transaction is here, at any fee.
    #[cfg(test)]
    pub(crate) fn has_ready(&self) -> bool {
        self.order.has_heads()
    }

    /// Whether any sender's next transaction is here and pays the latest base fee.
    pub fn has_runnable(&self) -> bool {
        self.order.has_runnable()
    }

    /// Transactions without a gap before them.
    pub const fn ready_len(&self) -> usize {
        self.order.in_turn()
    }

    /// Adds a transaction whose account has nonce `account_nonce`. A refusal changes nothing.
    pub fn add(
        &mut self,
        tx: PooledTx,
        account_nonce: u64,
        now: Instant,
    ) -> Result<Added, Refusal> {
        self.now = now;
        self.check(&tx, account_nonce)?;
        let victims = self.make_room(&tx, account_nonce)?;
        let evicted = victims.into_iter().map(|(sender, nonce)| self.evict(sender, nonce));
        let evicted: Vec<_> = evicted.collect();
        self.metrics.evicted.increment(evicted.len() as u64);
        Ok(Added { replaced: self.insert(tx, account_nonce), evicted })
    }

    /// Adds an acknowledged transaction, even to a full pool. A transaction with the same nonce
    /// arrived later; it stays only if it was acknowledged as the replacement of this one.
    pub fn restore(
        &mut self,
        tx: PooledTx,
        account_nonce: u64,
        now: Instant,
    ) -> Result<Option<PooledTx>, Refusal> {
        let unbounded = self.limits.unbounded();
        let limits = std::mem::replace(&mut self.limits, unbounded);
        let added = self.add(tx, account_nonce, now);
        self.limits = limits;
        added.map(|added| added.replaced)
    }

    /// Removes and returns transactions whose gap timed out. The caller calls this regularly, also
    /// when idle.
    pub fn expire(&mut self, now: Instant) -> Vec<PooledTx> {
        self.now = now;
        let mut expired = Vec::new();
        while let Some((since, sender)) = self.order.oldest_gap() {
            if now.saturating_duration_since(since) < self.limits.gap_timeout {
                break;
            }
            let queue = self.queue(&sender);
            let timed_out = queue.split_gap();
            self.forget(&timed_out);
            self.settle(sender);
            expired.extend(timed_out);
        }
        self.metrics.expired.increment(expired.len() as u64);
        self.metrics.hold(self.len(), self.ready_len(), self.bytes, self.senders.len());
        expired
    }

    /// Sets the base fee that transactions must pay, like [`Self::pop_ready`].
    pub fn set_base_fee(&mut self, base_fee: u64) {
        self.order.set_base_fee(base_fee, |sender| self.senders[sender].listed);
    }

    /// Removes and returns the first transaction by arrival whose turn it is and that pays
    /// `base_fee`.
    pub fn pop_ready(&mut self, base_fee: u64) -> Option<PooledTx> {
        self.set_base_fee(base_fee);
        self.order.first_runnable().map(|sender| self.pop_head(sender))
    }

    /// Totals of the queues whose next transaction pays the latest base fee, up to their first gap.
    pub(crate) const fn runnable_totals(&self) -> TxTotals {
        self.order.runnable_totals()
    }

    /// Number of senders whose next transaction pays the latest base fee.
    pub(crate) fn runnable_senders(&self) -> usize {
        self.order.runnable_len()
    }

    /// The transaction that runs next by effective tip. The first call ranks all senders that can
    /// run; after that, every change of the pool updates the ranking.
    pub(crate) fn highest_bidder(&mut self) -> Option<&PooledTx> {
        self.order.rank();
        let queue = &self.senders[&self.order.highest_bidder()?];
        queue.get(queue.next())
    }

    /// Removes and returns [`Self::highest_bidder`].
    pub(crate) fn pop_highest_bidder(&mut self) -> Option<PooledTx> {
        self.order.rank();
        self.order.highest_bidder().map(|sender| self.pop_head(sender))
    }

    /// Excludes the sender of [`Self::highest_bidder`] from the ranking until [`Self::recall`],
    /// which must follow before any other change of the pool.
    pub(crate) fn set_aside(&mut self) -> Option<Rank> {
        self.order.set_aside()
    }

    /// Returns senders to the ranking.
    pub(crate) fn recall(&mut self, ranks: Vec<Rank>) {
        ranks.into_iter().for_each(|rank| self.order.recall(rank));
    }

    /// Notes the transactions of a slice that was too small for all that waited.
    pub(crate) fn note_small_slice(&mut self, taken: &[PooledTx]) {
        self.metrics.small_slices.increment(1);
        let lowest_tip = taken.iter().map(|tx| self.order.effective_tip(QueueHead::of(tx))).min();
        if let Some(lowest_tip) = lowest_tip {
            self.small_slice = Some(SmallSlice { lowest_tip, at: self.now });
        }
    }

    /// Tip per gas, in wei, with which a transaction would have been in the newest slice that was
    /// too small for all that waited. 0 if there was none lately: then no tip is needed.
    pub fn suggested_tip(&self, now: Instant) -> u128 {
        let is_recent =
            |slice: &&SmallSlice| now.saturating_duration_since(slice.at) < SMALL_SLICE_TIME;
        let slice = self.small_slice.as_ref().filter(is_recent);
        slice.map_or(0, |SmallSlice { lowest_tip, .. }| least_above(*lowest_tip))
    }

    /// Stops updating the ranking by effective tip.
    pub(crate) fn end_ranking(&mut self) {
        self.order.end_ranking();
    }

    fn pop_head(&mut self, sender: Address) -> PooledTx {
        let tx = self
            .queue(&sender)
            .take_head()
            .expect("invariant: a runnable sender has a next transaction");
        self.forget(std::slice::from_ref(&tx));
        self.settle(sender);
        tx
    }

    /// Puts back a popped transaction, at its old position.
    pub fn put_back(&mut self, tx: PooledTx) {
        let (sender, nonce) = (tx.sender, tx.tx.nonce());
        self.by_hash.insert(tx.tx.hash(), (sender, nonce));
        self.bytes += tx.raw.len();
        self.senders.entry(sender).or_insert_with(|| SenderQueue::new(nonce)).put_back(tx);
        self.settle(sender);
    }

    /// Sets an account's nonce after transactions ran. Returns those that can no longer be
    /// included.
    pub fn set_nonce(&mut self, sender: Address, account_nonce: u64) -> Vec<PooledTx> {
        let Some(queue) = self.senders.get_mut(&sender) else { return Vec::new() };
        let stale = queue.set_nonce(account_nonce);
        self.forget(&stale);
        self.settle(sender);
        stale
    }

    /// Checks whether `tx` could be added to a pool with room.
    fn check(&self, tx: &PooledTx, account_nonce: u64) -> Result<(), Refusal> {
        if self.by_hash.contains_key(&tx.tx.hash()) {
            return Err(Refusal::AlreadyKnown);
        }
        let nonce = tx.tx.nonce();
        let queue = self.senders.get(&tx.sender);
        // A popped transaction that has not run yet counts as well.
        let next = queue.map_or(account_nonce, |queue| queue.next().max(account_nonce));
        if nonce < next {
            return Err(Refusal::NonceTooLow { next, nonce });
        }
        let limit = self.limits.nonce_gap_max;
        if nonce - account_nonce > limit {
            return Err(Refusal::NonceTooHigh { next: account_nonce, nonce, limit });
        }
        let old = queue.and_then(|queue| queue.get(nonce));
        if old.is_some_and(|old| !tx.outbids(old)) {
            return Err(Refusal::Underpriced);
        }
        let limit = self.limits.sender_transactions_max;
        if old.is_none() && queue.is_some_and(|queue| queue.len() >= limit) {
            return Err(Refusal::SenderFull { limit });
        }
        let limit = self.limits.sender_bytes_max;
        let kept = queue.map_or(0, SenderQueue::bytes) - old.map_or(0, |old| old.raw.len());
        if kept + tx.raw.len() > limit {
            return Err(Refusal::SenderBytesFull { limit });
        }
        Ok(())
    }

    fn insert(&mut self, tx: PooledTx, account_nonce: u64) -> Option<PooledTx> {
        let (sender, nonce) = (tx.sender, tx.tx.nonce());
        self.by_hash.insert(tx.tx.hash(), (sender, nonce));
        self.bytes += tx.raw.len();
        let queue = self.senders.entry(sender).or_insert_with(|| SenderQueue::new(account_nonce));
        queue.observe_nonce(account_nonce);
        let replaced = queue.insert(tx);
        if let Some(replaced) = &replaced {
            self.forget(std::slice::from_ref(replaced));
            self.metrics.replaced.increment(1);
        }
        self.settle(sender);
        replaced
    }

    fn queue(&mut self, sender: &Address) -> &mut SenderQueue {
        self.senders.get_mut(sender).expect("invariant: a listed sender has a queue")
    }

    fn forget(&mut self, gone: &[PooledTx]) {
        for tx in gone {
            self.by_hash.remove(&tx.tx.hash());
            self.bytes -= tx.raw.len();
        }
    }

    /// Updates the order after a sender's queue changed.
    fn settle(&mut self, sender: Address) {
        let Some(queue) = self.senders.get_mut(&sender) else { return };
        let old = queue.listed;
        let gap = queue.missing().map(|missing| match old.gap {
            Some(gap) if gap.missing == missing => gap,
            _ => Gap { missing, since: self.now },
        });
        let new = QueueListing { head: queue.head(), gap, in_turn: queue.in_turn_totals() };
        queue.listed = new;
        if queue.is_forgettable() {
            self.senders.remove(&sender);
        }
        self.order.relist(sender, &old, &new);
    }
}
