//! What a full pool drops for a newcomer.
//!
//! # Job
//!
//! Only a newcomer that can run gets room. A sender can run if its next transaction pays the base
//! fee; its later ones count as runnable too. The pool drops, in this order:
//!
//! 1. transactions behind a gap, of the sender that has waited longest;
//! 2. transactions of the sender with the lowest fee cap below the base fee;
//! 3. transactions of the sender with the lowest bid, if the newcomer bids at least a tenth more.
//!
//! A sender bids the effective tip of its next transaction. A newcomer behind that one bids no
//! more than it, because it runs later.
//!
//! A sender's last transaction goes first, so that no new gap opens. A newcomer never evicts one of
//! its own sender; if there is nothing else to evict, it is refused.

use alloy_primitives::Address;

use super::{
    Pool, PooledTx,
    queue::{QueueHead, SenderQueue},
    transaction::may_evict,
};
use crate::Refusal;

/// Transactions to evict, and what is missing beyond them.
#[derive(Debug)]
struct Eviction {
    spared: Address,
    transactions: usize,
    bytes: usize,
    victims: Vec<(Address, u64)>,
}

impl Eviction {
    const fn is_enough(&self) -> bool {
        self.transactions == 0 && self.bytes == 0
    }

    /// Evicts transactions until there is enough room.
    fn evict<'a>(&mut self, candidates: impl Iterator<Item = &'a PooledTx>) {
        if self.is_enough() {
            return;
        }
        for tx in candidates.filter(|tx| tx.sender != self.spared) {
            self.victims.push((tx.sender, tx.tx.nonce()));
            self.transactions = self.transactions.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(tx.raw.len());
            if self.is_enough() {
                return;
            }
        }
    }
}

impl Pool {
    /// Chooses the transactions to evict so that `tx` fits.
    pub(super) fn make_room(
        &mut self,
        tx: &PooledTx,
        account_nonce: u64,
    ) -> Result<Vec<(Address, u64)>, Refusal> {
        let old = self.senders.get(&tx.sender).and_then(|queue| queue.get(tx.tx.nonce()));
        let (transactions, bytes) = match old {
            Some(old) => (self.len(), self.bytes - old.raw.len() + tx.raw.len()),
            None => (self.len() + 1, self.bytes + tx.raw.len()),
        };
        let mut eviction = Eviction {
            spared: tx.sender,
            transactions: transactions.saturating_sub(self.limits.transactions_max),
            bytes: bytes.saturating_sub(self.limits.bytes_max),
            victims: Vec::new(),
        };
        if eviction.is_enough() {
            return Ok(eviction.victims);
        }
        let bid = self.newcomer_bid(tx, account_nonce).ok_or(Refusal::PoolFull)?;
        let gapped = self.order.gaps().flat_map(|sender| self.senders[sender].behind_gap().rev());
        let dear = self.order.priced_out().flat_map(|sender| self.senders[sender].in_turn().rev());
        eviction.evict(gapped.chain(dear));
        if !eviction.is_enough() {
            self.order.rank();
            let cheaper = self.order.lowest_bidders().take_while(|(_, old)| may_evict(bid, *old));
            eviction.evict(cheaper.flat_map(|(sender, _)| self.senders[sender].in_turn().rev()));
        }
        if eviction.is_enough() { Ok(eviction.victims) } else { Err(Refusal::PoolFull) }
    }

    pub(super) fn evict(&mut self, sender: Address, nonce: u64) -> PooledTx {
        let tx = self.queue(&sender).remove(nonce).expect("invariant: a victim was just seen");
        self.forget(std::slice::from_ref(&tx));
        self.settle(sender);
        tx
    }

    /// What a newcomer bids; `None` if it would not run with the next slice, as far as nonce and
    /// base fee decide.
    fn newcomer_bid(&self, tx: &PooledTx, account_nonce: u64) -> Option<u128> {
        let nonce = tx.tx.nonce();
        let queue = self.senders.get(&tx.sender);
        let next = queue.map_or(account_nonce, |queue| queue.next().max(account_nonce));
        let end = queue.map_or(next, |queue| queue.end().max(account_nonce));
        let own = QueueHead::of(tx);
        let head = queue.and_then(SenderQueue::head).filter(|_| nonce > next).unwrap_or(own);
        let can_run = nonce <= end && self.order.pays(head.fee_cap);
        can_run.then(|| self.order.effective_tip(own).min(self.order.bid(head)))
    }
}
