//! Orders senders: which one runs next, and which one is evicted next.
//!
//! Senders that can run are sorted by arrival at all times. They are ranked by bid only while the
//! pool holds more than a slice, or no room for a newcomer: most pools are never ranked. A ranking
//! takes time in proportion to the number of such senders. It lasts until the base fee changes,
//! because every bid depends on that, or until everything fits a slice again.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use alloy_primitives::Address;

use super::{
    queue::{Gap, QueueHead, QueueListing},
    transaction::{ARRIVAL_FIRST, TxTotals},
};

/// The order of senders to run, and to evict.
#[derive(Debug)]
pub(super) struct SenderOrder {
    base_fee: u64,
    /// Senders whose next transaction is here and pays the base fee, by its arrival.
    runnable: BTreeMap<u64, (Address, QueueHead)>,
    /// Totals of their transactions without a gap before them.
    runnable_totals: TxTotals,
    /// A lower bound of their fee caps. While the base fee does not exceed it, none has to be
    /// checked.
    fee_floor: u128,
    /// The same senders, by bid; `None` unless [`Self::rank`] was called since the last change of
    /// the base fee.
    ranking: Option<BTreeSet<Rank>>,
    /// Senders whose next transaction is here and pays too little: by fee cap, and of equal ones
    /// the latest first.
    priced_out: BTreeSet<(u128, Reverse<u64>, Address)>,
    /// Senders with a gap, by the start of the wait.
    gaps: BTreeSet<(Instant, Address)>,
    in_turn: usize,
}

/// A sender's position in the ranking: the highest bid first, and of equal ones the first arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    bid: Reverse<u128>,
    arrival: u64,
    sender: Address,
}

impl SenderOrder {
    pub(super) const fn new() -> Self {
        let runnable_totals = TxTotals { transactions: 0, bytes: 0, gas: 0 };
        Self {
            base_fee: 0,
            runnable: BTreeMap::new(),
            runnable_totals,
            fee_floor: u128::MAX,
            ranking: None,
            priced_out: BTreeSet::new(),
            gaps: BTreeSet::new(),
            in_turn: 0,
        }
    }

    pub(super) fn pays(&self, fee_cap: u128) -> bool {
        fee_cap >= u128::from(self.base_fee)
    }

    /// What a transaction pays per gas above the base fee, in wei.
    pub(super) fn effective_tip(&self, QueueHead { fee_cap, tip_cap, .. }: QueueHead) -> u128 {
        tip_cap.min(fee_cap.saturating_sub(self.base_fee.into()))
    }

    /// What a sender's next transaction bids: its effective tip. A rewound one was promised once,
    /// so nothing goes before it, and no tip evicts it.
    pub(super) fn bid(&self, head: QueueHead) -> u128 {
        if head.arrival < ARRIVAL_FIRST { u128::MAX } else { self.effective_tip(head) }
    }

    /// Sorts by a new base fee. `listing` returns a sender's. Touches only senders that the change
    /// affects, so that senders waiting for a lower fee cost nothing.
    pub(super) fn set_base_fee(
        &mut self,
        base_fee: u64,
        listing: impl Fn(&Address) -> QueueListing,
    ) {
        let before = std::mem::replace(&mut self.base_fee, base_fee);
        if base_fee == before {
            return;
        }
        self.ranking = None;
        let fee = u128::from(base_fee);
        if base_fee < before {
            let lowest = (fee, Reverse(u64::MAX), Address::ZERO);
            for (_, _, sender) in self.priced_out.split_off(&lowest) {
                let QueueListing { head, in_turn, .. } = listing(&sender);
                self.list_head(sender, head.expect("invariant: it waits for its fee"), in_turn);
            }
        } else if fee > self.fee_floor {
            let mut floor = u128::MAX;
            let Self { runnable, priced_out, runnable_totals, .. } = self;
            runnable.retain(|&arrival, &mut (sender, QueueHead { fee_cap, .. })| {
                if fee_cap < fee {
                    priced_out.insert((fee_cap, Reverse(arrival), sender));
                    *runnable_totals -= listing(&sender).in_turn;
                } else {
                    floor = floor.min(fee_cap);
                }
                fee_cap >= fee
            });
            self.fee_floor = floor;
        }
    }

    /// The sender that runs next.
    pub(super) fn first_runnable(&self) -> Option<Address> {
        self.runnable.first_key_value().map(|(_, (sender, _))| *sender)
    }

    pub(super) fn has_runnable(&self) -> bool {
        !self.runnable.is_empty()
    }

    /// Number of senders that can run.
    pub(super) fn runnable_len(&self) -> usize {
        self.runnable.len()
    }

    /// Totals of the transactions in turn of senders that can run.
    pub(super) const fn runnable_totals(&self) -> TxTotals {
        self.runnable_totals
    }

    /// Ranks the senders that can run.
    pub(super) fn rank(&mut self) {
        if self.ranking.is_none() {
            let heads = self.runnable.values();
            self.ranking = Some(heads.map(|&(sender, head)| self.rank_of(sender, head)).collect());
        }
    }

    /// Ends the ranking, which costs time with every change.
    pub(super) fn end_ranking(&mut self) {
        self.ranking = None;
    }

    /// The sender with the highest bid. None is ranked before [`Self::rank`].
    pub(super) fn highest_bidder(&self) -> Option<Address> {
        self.ranking.as_ref()?.first().map(|rank| rank.sender)
    }

    /// Takes the sender with the highest bid out of the ranking.
    pub(super) fn set_aside(&mut self) -> Option<Rank> {
        self.ranking.as_mut()?.pop_first()
    }

    /// Returns a sender to the ranking.
    pub(super) fn recall(&mut self, rank: Rank) {
        if let Some(ranking) = &mut self.ranking {
            ranking.insert(rank);
        }
    }

    /// Ranked senders with their bids, the lowest first, and of equal ones the last arrival.
    pub(super) fn lowest_bidders(&self) -> impl Iterator<Item = (&Address, u128)> {
        let ranks = self.ranking.iter().flat_map(|ranking| ranking.iter().rev());
        ranks.map(|rank| (&rank.sender, rank.bid.0))
    }

    fn rank_of(&self, sender: Address, head: QueueHead) -> Rank {
        Rank { bid: Reverse(self.bid(head)), arrival: head.arrival, sender }
    }

    /// Whether any sender's next transaction is here, at any fee.
    #[cfg(test)]
    pub(super) fn has_heads(&self) -> bool {
        self.has_runnable() || !self.priced_out.is_empty()
    }

    /// Senders that wait for a lower base fee, in the order of eviction.
    pub(super) fn priced_out(&self) -> impl Iterator<Item = &Address> {
        self.priced_out.iter().map(|(_, _, sender)| sender)
    }

    /// Senders with a gap, longest wait first.
    pub(super) fn gaps(&self) -> impl Iterator<Item = &Address> {
        self.gaps.iter().map(|(_, sender)| sender)
    }

    /// The sender that has waited longest with a gap, and since when.
    pub(super) fn oldest_gap(&self) -> Option<(Instant, Address)> {
        self.gaps.first().copied()
    }

    /// Transactions without a gap before them.
    pub(super) const fn in_turn(&self) -> usize {
        self.in_turn
    }

    /// Moves a sender from its old listing to its new one.
    pub(super) fn relist(&mut self, sender: Address, old: &QueueListing, new: &QueueListing) {
        if old.head != new.head {
            if let Some(head) = old.head {
                self.unlist_head(sender, head, old.in_turn);
            }
            if let Some(head) = new.head {
                self.list_head(sender, head, new.in_turn);
            }
        } else if new.head.is_some_and(|head| self.pays(head.fee_cap)) {
            self.runnable_totals -= old.in_turn;
            self.runnable_totals += new.in_turn;
        }
        if old.gap != new.gap {
            if let Some(Gap { since, .. }) = old.gap {
                self.gaps.remove(&(since, sender));
            }
            if let Some(Gap { since, .. }) = new.gap {
                self.gaps.insert((since, sender));
            }
        }
        self.in_turn = self.in_turn - old.in_turn.transactions + new.in_turn.transactions;
    }

    fn list_head(&mut self, sender: Address, head: QueueHead, in_turn: TxTotals) {
        let QueueHead { arrival, fee_cap, .. } = head;
        if !self.pays(fee_cap) {
            self.priced_out.insert((fee_cap, Reverse(arrival), sender));
            return;
        }
        self.runnable.insert(arrival, (sender, head));
        self.runnable_totals += in_turn;
        self.fee_floor = self.fee_floor.min(fee_cap);
        // Without a ranking, which is the rule, this costs nothing.
        let rank = self.ranking.is_some().then(|| self.rank_of(sender, head));
        if let Some((ranking, rank)) = self.ranking.as_mut().zip(rank) {
            ranking.insert(rank);
        }
    }

    fn unlist_head(&mut self, sender: Address, head: QueueHead, in_turn: TxTotals) {
        let QueueHead { arrival, fee_cap, .. } = head;
        if !self.pays(fee_cap) {
            self.priced_out.remove(&(fee_cap, Reverse(arrival), sender));
            return;
        }
        self.runnable.remove(&arrival);
        self.runnable_totals -= in_turn;
        let rank = self.ranking.is_some().then(|| self.rank_of(sender, head));
        if let Some((ranking, rank)) = self.ranking.as_mut().zip(rank) {
            ranking.remove(&rank);
        }
    }
}
