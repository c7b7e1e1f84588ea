//! Orders senders: which one runs next, and which one is evicted next.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use alloy_primitives::Address;

use super::queue::{Gap, QueueHead, QueueListing};

/// The order of senders to run, and to evict.
#[derive(Debug)]
pub(super) struct SenderOrder {
    base_fee: u64,
    /// Senders whose next transaction is here and pays the base fee, by its arrival, with its fee
    /// cap.
    runnable: BTreeMap<u64, (Address, u128)>,
    /// A lower bound of their fee caps. While the base fee does not exceed it, none has to be
    /// checked.
    fee_floor: u128,
    /// Senders whose next transaction is here and pays too little: by fee cap, and of equal ones
    /// the latest first.
    priced_out: BTreeSet<(u128, Reverse<u64>, Address)>,
    /// Senders with a gap, by the start of the wait.
    gaps: BTreeSet<(Instant, Address)>,
    in_turn: usize,
}

impl SenderOrder {
    pub(super) const fn new() -> Self {
        Self {
            base_fee: 0,
            runnable: BTreeMap::new(),
            fee_floor: u128::MAX,
            priced_out: BTreeSet::new(),
            gaps: BTreeSet::new(),
            in_turn: 0,
        }
    }

    pub(super) fn pays(&self, fee_cap: u128) -> bool {
        fee_cap >= u128::from(self.base_fee)
    }

    /// Sorts by a new base fee. Touches only senders that the change affects, so that senders
    /// waiting for a lower fee cost nothing.
    pub(super) fn set_base_fee(&mut self, base_fee: u64) {
        let before = std::mem::replace(&mut self.base_fee, base_fee);
        let fee = u128::from(base_fee);
        if base_fee < before {
            let lowest = (fee, Reverse(u64::MAX), Address::ZERO);
            for (fee_cap, Reverse(arrival), sender) in self.priced_out.split_off(&lowest) {
                self.list_head(sender, QueueHead { arrival, fee_cap });
            }
        } else if fee > self.fee_floor {
            let mut floor = u128::MAX;
            let priced_out = &mut self.priced_out;
            self.runnable.retain(|&arrival, &mut (sender, fee_cap)| {
                if fee_cap < fee {
                    priced_out.insert((fee_cap, Reverse(arrival), sender));
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

    /// Whether any sender's next transaction is here, at any fee.
    #[cfg(test)]
    pub(super) fn has_heads(&self) -> bool {
        self.has_runnable() || !self.priced_out.is_empty()
    }

    pub(super) fn is_priced_out(&self, head: QueueHead) -> bool {
        !self.pays(head.fee_cap)
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
                self.unlist_head(sender, head);
            }
            if let Some(head) = new.head {
                self.list_head(sender, head);
            }
        }
        if old.gap != new.gap {
            if let Some(Gap { since, .. }) = old.gap {
                self.gaps.remove(&(since, sender));
            }
            if let Some(Gap { since, .. }) = new.gap {
                self.gaps.insert((since, sender));
            }
        }
        self.in_turn = self.in_turn - old.in_turn + new.in_turn;
    }

    fn list_head(&mut self, sender: Address, QueueHead { arrival, fee_cap }: QueueHead) {
        if self.pays(fee_cap) {
            self.runnable.insert(arrival, (sender, fee_cap));
            self.fee_floor = self.fee_floor.min(fee_cap);
        } else {
            self.priced_out.insert((fee_cap, Reverse(arrival), sender));
        }
    }

    fn unlist_head(&mut self, sender: Address, QueueHead { arrival, fee_cap }: QueueHead) {
        if self.pays(fee_cap) {
            self.runnable.remove(&arrival);
        } else {
            self.priced_out.remove(&(fee_cap, Reverse(arrival), sender));
        }
    }
}
