//! One sender's queue of transactions.

use std::{collections::BTreeMap, time::Instant};

use super::transaction::{PooledTx, TxTotals};

/// One sender's transactions, by nonce.
///
/// ```text
/// next ─► [n] [n+1] [n+2]  ·  [n+4] [n+5]
///         └── in turn ──┘  ▲  └ behind a gap
///                         end
/// ```
#[derive(Debug)]
pub(super) struct SenderQueue {
    /// The account's nonce as last set. Popped transactions are in neither `by_nonce` nor the
    /// state.
    account_nonce: u64,
    /// The nonce of the sender's next transaction.
    next: u64,
    /// The first missing nonce from `next` on.
    end: u64,
    by_nonce: BTreeMap<u64, PooledTx>,
    /// Bytes of their encodings.
    bytes: usize,
    /// Totals of the transactions in turn.
    totals: TxTotals,
    /// The queue's current listing in the pool's order.
    pub(super) listed: QueueListing,
}

/// The sort key of a sender's next transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueueHead {
    pub(super) arrival: u64,
    pub(super) fee_cap: u128,
    pub(super) tip_cap: u128,
}

impl QueueHead {
    pub(super) fn of(tx: &PooledTx) -> Self {
        Self { arrival: tx.arrival, fee_cap: tx.fee_cap(), tip_cap: tx.tip_cap() }
    }
}

/// A queue's listing in the pool's order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct QueueListing {
    pub(super) head: Option<QueueHead>,
    pub(super) gap: Option<Gap>,
    /// Totals of the transactions without a gap before them.
    pub(super) in_turn: TxTotals,
}

/// A missing nonce, and since when later transactions wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) missing: u64,
    pub(super) since: Instant,
}

impl SenderQueue {
    pub(super) fn new(account_nonce: u64) -> Self {
        Self {
            account_nonce,
            next: account_nonce,
            end: account_nonce,
            by_nonce: BTreeMap::new(),
            bytes: 0,
            totals: TxTotals::default(),
            listed: QueueListing::default(),
        }
    }

    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn len(&self) -> usize {
        self.by_nonce.len()
    }

    /// Bytes of all encodings.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, nonce: u64) -> Option<&PooledTx> {
        self.by_nonce.get(&nonce)
    }

    /// Whether dropping the queue loses nothing.
    pub(super) fn is_forgettable(&self) -> bool {
        self.by_nonce.is_empty() && self.next <= self.account_nonce
    }

    /// The sort key of the next transaction.
    pub(super) fn head(&self) -> Option<QueueHead> {
        self.by_nonce.get(&self.next).map(QueueHead::of)
    }

    /// The nonce that transactions wait for, if any.
    pub(super) fn missing(&self) -> Option<u64> {
        let last = self.by_nonce.last_key_value().map(|(nonce, _)| *nonce);
        last.filter(|last| *last > self.end).map(|_| self.end)
    }

    /// Totals of the transactions without a gap before them.
    pub(super) const fn in_turn_totals(&self) -> TxTotals {
        self.totals
    }

    /// Transactions without a gap before them, in order.
    pub(super) fn in_turn(&self) -> impl DoubleEndedIterator<Item = &PooledTx> {
        self.by_nonce.range(self.next..self.end).map(|(_, tx)| tx)
    }

    /// Transactions behind a gap, in order.
    pub(super) fn behind_gap(&self) -> impl DoubleEndedIterator<Item = &PooledTx> {
        self.by_nonce.range(self.end..).map(|(_, tx)| tx)
    }

    /// Takes the account's nonce from a submission, unless the queue's content contradicts it.
    pub(super) fn observe_nonce(&mut self, account_nonce: u64) {
        if self.by_nonce.is_empty() && account_nonce > self.next {
            (self.account_nonce, self.next, self.end) =
                (account_nonce, account_nonce, account_nonce);
        }
    }

    /// Adds a transaction. Returns the one that it replaces.
    pub(super) fn insert(&mut self, tx: PooledTx) -> Option<PooledTx> {
        let (nonce, totals) = (tx.tx.nonce(), TxTotals::of(&tx));
        self.bytes += tx.raw.len();
        let replaced = self.by_nonce.insert(nonce, tx);
        self.bytes -= bytes_of(&replaced);
        if nonce == self.end {
            self.extend();
        } else if nonce < self.end {
            self.totals += totals;
            if let Some(replaced) = &replaced {
                self.totals -= TxTotals::of(replaced);
            }
        }
        replaced
    }

    pub(super) fn remove(&mut self, nonce: u64) -> Option<PooledTx> {
        if nonce < self.end {
            for tx in self.by_nonce.range(nonce..self.end).map(|(_, tx)| tx) {
                self.totals -= TxTotals::of(tx);
            }
            self.end = nonce;
        }
        let removed = self.by_nonce.remove(&nonce)?;
        self.bytes -= removed.raw.len();
        Some(removed)
    }

    /// Pops the next transaction.
    pub(super) fn take_head(&mut self) -> Option<PooledTx> {
        let head = self.by_nonce.remove(&self.next)?;
        self.bytes -= head.raw.len();
        self.next += 1;
        self.totals -= TxTotals::of(&head);
        Some(head)
    }

    /// Puts back a popped transaction.
    pub(super) fn put_back(&mut self, tx: PooledTx) {
        let nonce = tx.tx.nonce();
        let was_next = nonce.checked_add(1) == Some(self.next);
        let totals = TxTotals::of(&tx);
        self.bytes += tx.raw.len();
        let replaced = self.by_nonce.insert(nonce, tx);
        self.bytes -= bytes_of(&replaced);
        self.next = self.next.min(nonce);
        if was_next {
            self.totals += totals;
        } else {
            self.restart();
        }
    }

    /// Sets the account's nonce. Returns the transactions that it passed.
    pub(super) fn set_nonce(&mut self, account_nonce: u64) -> Vec<PooledTx> {
        let kept = self.by_nonce.split_off(&account_nonce);
        let stale = std::mem::replace(&mut self.by_nonce, kept);
        let is_in_turn = (self.next..=self.end).contains(&account_nonce);
        (self.account_nonce, self.next) = (account_nonce, account_nonce);
        if is_in_turn {
            for tx in stale.values() {
                self.totals -= TxTotals::of(tx);
            }
        } else {
            self.restart();
        }
        self.take(stale)
    }

    /// Removes the transactions behind a gap.
    pub(super) fn split_gap(&mut self) -> Vec<PooledTx> {
        let gapped = self.by_nonce.split_off(&self.end);
        self.take(gapped)
    }

    /// Forgets the bytes of transactions that have left the queue, and returns them.
    fn take(&mut self, gone: BTreeMap<u64, PooledTx>) -> Vec<PooledTx> {
        let gone: Vec<_> = gone.into_values().collect();
        self.bytes -= bytes_of(&gone);
        gone
    }

    /// Finds the transactions in turn from `next` on.
    fn restart(&mut self) {
        (self.end, self.totals) = (self.next, TxTotals::default());
        self.extend();
    }

    /// Finds the transactions in turn from `end` on.
    fn extend(&mut self) {
        for (&nonce, tx) in self.by_nonce.range(self.end..) {
            if nonce != self.end {
                break;
            }
            self.end += 1;
            self.totals += TxTotals::of(tx);
        }
    }
}

/// Bytes of these encodings.
fn bytes_of<'a>(txs: impl IntoIterator<Item = &'a PooledTx>) -> usize {
    txs.into_iter().map(|tx| tx.raw.len()).sum()
}
