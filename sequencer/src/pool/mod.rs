//! Transactions that wait for their block: first come, first served, in nonce order for each sender.
//!
//! ```text
//! add ─► queue of its sender ─► in turn ─► pays the base fee ─► pop_ready
//!              │                   │
//!              │                   └ pays too little: waits for a lower base fee
//!              └ behind a gap: waits for the nonce that is missing, for `gap_timeout` at most
//! ```
//!
//! A full pool makes room for a transaction that can run at once by letting go of those that cannot: of who waits longest with
//! a gap first, then of who has the lowest fee cap below the base fee, the sender's last transaction first, so that no new gap
//! comes about. What can run is never let go of, and never for its own sender's sake: then the newcomer is refused. Somebody can
//! run whose next transaction pays the base fee; those behind it count as it does.
//!
//! Synchronous; the time is an argument. What leaves is given back, so that the caller can record why.

mod limits;
#[cfg(test)]
mod model;
mod order;
mod queue;
#[cfg(test)]
mod tests;
mod transaction;

use std::{collections::HashMap, time::Instant};

use alloy_primitives::{Address, B256};

pub use self::{limits::PoolLimits, transaction::PooledTx};
use self::{
    order::SenderOrder,
    queue::{Gap, QueueListing, SenderQueue},
};
use crate::{Refusal, metrics::PoolMetrics};

/// Transactions that wait for their block: first come, first served, in nonce order for each sender.
#[derive(Debug)]
pub struct Pool {
    limits: PoolLimits,
    senders: HashMap<Address, SenderQueue>,
    by_hash: HashMap<B256, (Address, u64)>,
    order: SenderOrder,
    /// Bytes of all encodings.
    bytes: usize,
    /// The time as it was last told.
    now: Instant,
    metrics: PoolMetrics,
}

/// What a transaction that was added has pushed out.
#[derive(Debug, Default)]
pub struct Added {
    /// The one of its sender whose nonce it has.
    pub replaced: Option<PooledTx>,
    /// Those of others that it was given the room of.
    pub evicted: Vec<PooledTx>,
}

impl Pool {
    /// An empty pool, as of now; later the time is told.
    pub fn new(limits: PoolLimits) -> Self {
        Self {
            limits,
            senders: HashMap::new(),
            by_hash: HashMap::new(),
            order: SenderOrder::new(),
            bytes: 0,
            now: Instant::now(),
            metrics: PoolMetrics::default(),
        }
    }

    /// Transactions in the pool.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// Bytes of their encodings.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The bounds.
    pub const fn limits(&self) -> &PoolLimits {
        &self.limits
    }

    /// A transaction by its hash.
    pub fn get(&self, hash: &B256) -> Option<&PooledTx> {
        let (sender, nonce) = self.by_hash.get(hash)?;
        self.senders.get(sender)?.get(*nonce)
    }

    /// The nonce after the sender's last transaction that has no gap before it; `None` if none is here.
    pub fn next_nonce(&self, sender: &Address) -> Option<u64> {
        self.senders.get(sender).map(SenderQueue::end)
    }

    /// Transactions of a sender, by nonce: those that have no gap before them, and those behind one.
    pub fn of_sender(&self, sender: &Address) -> (Vec<&PooledTx>, Vec<&PooledTx>) {
        let Some(queue) = self.senders.get(sender) else { return Default::default() };
        (queue.in_turn().collect(), queue.behind_gap().collect())
    }

    /// Everybody whose transactions are here.
    pub fn senders(&self) -> Vec<Address> {
        self.senders.keys().copied().collect()
    }

    /// Whether any transaction's turn has come, whatever it pays.
    #[cfg(test)]
    pub(crate) fn has_ready(&self) -> bool {
        self.order.has_heads()
    }

    /// Whether any transaction's turn has come that pays the base fee last told.
    pub fn has_runnable(&self) -> bool {
        self.order.has_runnable()
    }

    /// Transactions that have no gap before them.
    pub const fn ready_len(&self) -> usize {
        self.order.in_turn()
    }

    /// Adds a transaction, the account's nonce being `account_nonce`. Nothing changes if it is refused.
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

    /// Adds a transaction that was acknowledged before, however full the pool is. One that is here already with its nonce came
    /// later, and stays only if it was acknowledged in this one's place.
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

    /// Lets go of what has waited for a missing nonce for too long. To be called every now and then, when nothing else is, too.
    pub fn expire(&mut self, now: Instant) -> Vec<PooledTx> {
        self.now = now;
        let mut expired = Vec::new();
        while let Some((since, sender)) = self.order.oldest_gap() {
            if now.saturating_duration_since(since) < self.limits.gap_timeout {
                break;
            }
            let queue = self.queue(&sender);
            let gone = queue.split_gap();
            self.forget(&gone);
            self.settle(sender);
            expired.extend(gone);
        }
        self.metrics.expired.increment(expired.len() as u64);
        self.metrics.hold(self.len(), self.ready_len(), self.bytes, self.senders.len());
        expired
    }

    /// Tells what transactions pay at least to run; as [`Self::pop_ready`] does.
    pub fn set_base_fee(&mut self, base_fee: u64) {
        self.order.set_base_fee(base_fee);
    }

    /// Takes the first transaction in the order of arrival whose turn it is and that pays `base_fee`.
    pub fn pop_ready(&mut self, base_fee: u64) -> Option<PooledTx> {
        self.set_base_fee(base_fee);
        let sender = self.order.first_runnable()?;
        let tx = self.queue(&sender).take_head().expect("invariant: who is runnable has a head");
        self.forget(std::slice::from_ref(&tx));
        self.settle(sender);
        Some(tx)
    }

    /// Puts back a transaction that was taken, as if it had not been.
    pub fn put_back(&mut self, tx: PooledTx) {
        let (sender, nonce) = (tx.sender, tx.tx.nonce());
        self.by_hash.insert(tx.tx.hash(), (sender, nonce));
        self.bytes += tx.raw.len();
        self.senders.entry(sender).or_insert_with(|| SenderQueue::new(nonce)).put_back(tx);
        self.settle(sender);
    }

    /// Tells the pool an account's nonce after something ran. Gives back what can no longer be included.
    pub fn set_nonce(&mut self, sender: Address, account_nonce: u64) -> Vec<PooledTx> {
        let Some(queue) = self.senders.get_mut(&sender) else { return Vec::new() };
        let stale = queue.set_nonce(account_nonce);
        self.forget(&stale);
        self.settle(sender);
        stale
    }

    /// Whether `tx` could be added, had the pool room.
    fn check(&self, tx: &PooledTx, account_nonce: u64) -> Result<(), Refusal> {
        if self.by_hash.contains_key(&tx.tx.hash()) {
            return Err(Refusal::AlreadyKnown);
        }
        let nonce = tx.tx.nonce();
        let queue = self.senders.get(&tx.sender);
        // One that was taken and has not run has its nonce, too.
        let next = queue.map_or(account_nonce, |queue| queue.next().max(account_nonce));
        if nonce < next {
            return Err(Refusal::NonceTooLow { next, nonce });
        }
        let limit = self.limits.nonce_gap_max;
        if nonce - account_nonce > limit {
            return Err(Refusal::NonceTooHigh { next: account_nonce, nonce, limit });
        }
        if let Some(old) = queue.and_then(|queue| queue.get(nonce)) {
            return if tx.outbids(old) { Ok(()) } else { Err(Refusal::Underpriced) };
        }
        let limit = self.limits.sender_transactions_max;
        if queue.is_some_and(|queue| queue.len() >= limit) {
            return Err(Refusal::SenderFull { limit });
        }
        Ok(())
    }

    /// Whether a transaction would run with the next slice, as far as nonces and fees go.
    fn can_run(&self, tx: &PooledTx, account_nonce: u64) -> bool {
        let nonce = tx.tx.nonce();
        let queue = self.senders.get(&tx.sender);
        let (next, end) = queue.map_or((account_nonce, account_nonce), |queue| {
            (queue.next().max(account_nonce), queue.end().max(account_nonce))
        });
        let before = queue.and_then(|queue| queue.listed.head).filter(|_| nonce > next);
        let pays = self.order.pays(tx.fee_cap());
        nonce <= end && before.map_or(pays, |head| !self.order.is_priced_out(head))
    }

    /// Whom to let go of, so that `tx` fits.
    fn make_room(&self, tx: &PooledTx, account_nonce: u64) -> Result<Vec<(Address, u64)>, Refusal> {
        let old = self.senders.get(&tx.sender).and_then(|queue| queue.get(tx.tx.nonce()));
        let (count, bytes) = match old {
            Some(old) => (self.len(), self.bytes - old.raw.len() + tx.raw.len()),
            None => (self.len() + 1, self.bytes + tx.raw.len()),
        };
        let mut count = count.saturating_sub(self.limits.transactions_max);
        let mut bytes = bytes.saturating_sub(self.limits.bytes_max);
        let mut victims = Vec::new();
        if count == 0 && bytes == 0 {
            return Ok(victims);
        }
        if !self.can_run(tx, account_nonce) {
            return Err(Refusal::PoolFull);
        }
        let gapped = self.order.gaps().flat_map(|sender| self.senders[sender].behind_gap().rev());
        let dear = self.order.priced_out().flat_map(|sender| self.senders[sender].in_turn().rev());
        for victim in gapped.chain(dear).filter(|victim| victim.sender != tx.sender) {
            victims.push((victim.sender, victim.tx.nonce()));
            count = count.saturating_sub(1);
            bytes = bytes.saturating_sub(victim.raw.len());
            if count == 0 && bytes == 0 {
                return Ok(victims);
            }
        }
        Err(Refusal::PoolFull)
    }

    fn insert(&mut self, tx: PooledTx, account_nonce: u64) -> Option<PooledTx> {
        let (sender, nonce) = (tx.sender, tx.tx.nonce());
        self.by_hash.insert(tx.tx.hash(), (sender, nonce));
        self.bytes += tx.raw.len();
        let queue = self.senders.entry(sender).or_insert_with(|| SenderQueue::new(account_nonce));
        queue.hear_nonce(account_nonce);
        let replaced = queue.insert(tx);
        if let Some(replaced) = &replaced {
            self.forget(std::slice::from_ref(replaced));
            self.metrics.replaced.increment(1);
        }
        self.settle(sender);
        replaced
    }

    fn evict(&mut self, sender: Address, nonce: u64) -> PooledTx {
        let tx = self.queue(&sender).remove(nonce).expect("invariant: a victim was just seen");
        self.forget(std::slice::from_ref(&tx));
        self.settle(sender);
        tx
    }

    fn queue(&mut self, sender: &Address) -> &mut SenderQueue {
        self.senders.get_mut(sender).expect("invariant: who is listed has a queue")
    }

    fn forget(&mut self, gone: &[PooledTx]) {
        for tx in gone {
            self.by_hash.remove(&tx.tx.hash());
            self.bytes -= tx.raw.len();
        }
    }

    /// Brings the order up to date with a sender's queue.
    fn settle(&mut self, sender: Address) {
        let Some(queue) = self.senders.get_mut(&sender) else { return };
        let old = queue.listed;
        let gap = queue.missing().map(|missing| match old.gap {
            Some(gap) if gap.missing == missing => gap,
            _ => Gap { missing, since: self.now },
        });
        let new = QueueListing { head: queue.head(), gap, in_turn: queue.in_turn_len() };
        queue.listed = new;
        if queue.is_forgettable() {
            self.senders.remove(&sender);
        }
        self.order.relist(sender, &old, &new);
    }
}
