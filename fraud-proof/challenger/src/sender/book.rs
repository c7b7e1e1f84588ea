//! What is in flight, and what it needs: pure.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{B256, U256};
use turnpike_l1::{Prices, SignedCall};

use super::{
    FeePolicy, Purpose,
    offer::{Urgency, worst_cost},
};

/// L1 blocks on top of a transaction after which no reorg is expected to drop it.
const KEPT_BLOCKS: u64 = 64;

/// L1, as a sender sees it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    /// Hash of the newest block.
    pub(crate) hash: B256,
    /// Its number.
    pub(crate) head: u64,
    /// Its timestamp, in seconds.
    pub(crate) time: u64,
    /// Number of the last block that duties follow from.
    pub(crate) read: u64,
    /// Seconds between blocks.
    pub(crate) block_seconds: u64,
    /// Transactions of the account that L1 holds.
    pub(crate) nonce: u64,
    /// The same, with those that wait in the pool.
    pub(crate) pending_nonce: u64,
    /// What the account has, in wei.
    pub(crate) balance: U256,
    /// What the next block asks for.
    pub(crate) prices: Prices,
}

/// A signed transaction.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) purpose: Purpose,
    /// Timestamp, in seconds, of the last L1 block that it is good for.
    pub(crate) deadline: u64,
    /// Newest L1 block when it was signed.
    pub(crate) l1_block: u64,
    pub(crate) tx: SignedCall,
}

/// What has become of a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The newest transaction waits.
    Waiting,
    /// L1 does not know the newest transaction.
    Lost,
    /// One of them is in this block.
    Included(u64),
    /// None of them is what used it up. Seen at this block.
    Taken(u64),
}

/// All that was signed with one nonce; at most one of it counts.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// The newest last. Never empty.
    pub(crate) sent: Vec<Sent>,
    pub(crate) fate: Fate,
}

/// What a nonce in flight needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upkeep {
    /// It is settled for good.
    Forget,
    /// L1 is to be told again.
    Rebroadcast,
    /// More is to be offered for the same.
    Raise(Urgency),
    /// It is to be used up by a transaction that does nothing: others wait behind it.
    Clear(Urgency),
}

/// What is in flight, by nonce.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    pub(crate) slots: BTreeMap<u64, Slot>,
}

impl Slot {
    pub(crate) fn newest(&self) -> &Sent {
        self.sent.last().expect("invariant: a slot has something in it")
    }

    /// Whether it is on its way, as far as is known.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.fate, Fate::Waiting | Fate::Lost)
    }

    /// Whether duties that follow from L1 up to block `read` do not know of it.
    const fn is_unread(&self, read: u64) -> bool {
        match self.fate {
            Fate::Waiting | Fate::Lost => true,
            Fate::Included(block) | Fate::Taken(block) => block > read,
        }
    }
}

impl Look {
    /// How urgent something with this deadline is.
    pub(crate) const fn urgency(&self, deadline: u64, policy: &FeePolicy) -> Urgency {
        let urgent_seconds = policy.urgent_blocks.saturating_mul(self.block_seconds);
        if deadline.saturating_sub(self.time) <= urgent_seconds {
            Urgency::Urgent
        } else {
            Urgency::HasTime
        }
    }
}

impl Book {
    /// Adds what was signed.
    pub(crate) fn add(&mut self, sent: Sent, fate: Fate) {
        let slot = self.slots.entry(sent.tx.nonce).or_insert(Slot { sent: Vec::new(), fate });
        slot.sent.push(sent);
        slot.fate = fate;
    }

    /// Forgets that blocks after `block` held anything: L1 has dropped them.
    pub(crate) fn go_back(&mut self, block: u64) {
        for slot in self.slots.values_mut() {
            if matches!(slot.fate, Fate::Included(at) | Fate::Taken(at) if at > block) {
                slot.fate = Fate::Waiting;
            }
        }
    }

    /// Nonces of which more is to be learnt.
    pub(crate) fn unsettled(&self, read: u64) -> Vec<u64> {
        let unread = self.slots.iter().filter(|(_, slot)| slot.is_unread(read));
        unread.map(|(nonce, _)| *nonce).collect()
    }

    /// Whether something for this purpose is on its way, or in a block that duties do not know of yet.
    pub(crate) fn is_busy(&self, purpose: &Purpose, read: u64) -> bool {
        self.is_any_busy(read, |other| other == purpose)
    }

    /// The same for any purpose of a kind.
    pub(crate) fn is_any_busy(&self, read: u64, is_of_kind: impl Fn(&Purpose) -> bool) -> bool {
        let mut unread = self.slots.values().filter(|slot| slot.is_unread(read));
        unread.any(|slot| slot.sent.iter().any(|sent| is_of_kind(&sent.purpose)))
    }

    /// Whether others wait behind a nonce.
    pub(crate) fn is_before_others(&self, nonce: u64) -> bool {
        self.slots.range(nonce.saturating_add(1)..).any(|(_, slot)| slot.is_open())
    }

    /// How many transactions are on their way.
    pub(crate) fn in_flight(&self) -> usize {
        self.slots.values().filter(|slot| slot.is_open()).count()
    }

    /// Most that those on their way can take from the account, in wei, that with nonce `without` apart.
    pub(crate) fn committed(&self, without: Option<u64>) -> U256 {
        let open =
            self.slots.iter().filter(|(nonce, slot)| slot.is_open() && Some(**nonce) != without);
        open.map(|(_, slot)| worst_cost(&slot.newest().tx)).sum()
    }

    /// Whether transactions wait that are not ours, from the same account.
    pub(crate) fn has_foreign(&self, look: &Look) -> bool {
        let ours = self.slots.iter().filter(|(_, slot)| slot.is_open()).map(|(nonce, _)| nonce + 1);
        look.pending_nonce > ours.max().unwrap_or_default().max(look.nonce)
    }

    /// The nonce for the next transaction: the first that nobody uses.
    pub(crate) fn next_nonce(&self, look: &Look) -> u64 {
        let first = if self.has_foreign(look) { look.pending_nonce } else { look.nonce };
        (first..).find(|nonce| !self.slots.contains_key(nonce)).unwrap_or(first)
    }

    /// What there is to be done for what is in flight, by nonce. `wanted` is what has still to be done on L1.
    pub(crate) fn upkeep(
        &self,
        look: &Look,
        wanted: &BTreeSet<Purpose>,
        policy: &FeePolicy,
    ) -> Vec<(u64, Upkeep)> {
        let open = self.slots.iter().filter(|(_, slot)| slot.is_open()).map(|(nonce, _)| *nonce);
        let gaps = open.max().map_or(0..0, |last| look.nonce..last);
        let nonces = self.slots.keys().copied().chain(gaps).collect::<BTreeSet<_>>();
        let mut due = Vec::new();
        // Until when those from here on are needed. Nothing gets past those before it.
        let mut deadline: Option<u64> = None;
        for nonce in nonces.into_iter().rev() {
            let Some(slot) = self.slots.get(&nonce) else {
                let upkeep = deadline.and_then(|by| Self::gap(nonce, by, look, policy));
                due.extend(upkeep.map(|upkeep| (nonce, upkeep)));
                continue;
            };
            let newest = slot.newest();
            // Any of what was signed with a nonce may keep its purpose from being served by another.
            let is_needed = |it: &&Sent| it.purpose.is_standing() || wanted.contains(&it.purpose);
            let needed_by = slot.sent.iter().filter(is_needed).map(|sent| sent.deadline).min();
            let is_wanted = needed_by.is_some();
            if slot.is_open() {
                deadline = deadline.into_iter().chain(needed_by).min();
            }
            let upkeep = match (slot.is_open(), deadline) {
                (false, _) => Self::settled(slot, look),
                // It takes its course, or waits until its nonce is needed.
                (true, None) => None,
                (true, Some(by)) => {
                    let urgency = look.urgency(by, policy);
                    Self::needed(newest, slot.fate, is_wanted, look, urgency, policy)
                }
            };
            due.extend(upkeep.map(|upkeep| (nonce, upkeep)));
        }
        due.reverse();
        due
    }

    /// A nonce that nothing of ours has. If somebody else's transaction waits there, it gets its time.
    fn gap(nonce: u64, deadline: u64, look: &Look, policy: &FeePolicy) -> Option<Upkeep> {
        let urgency = look.urgency(deadline, policy);
        let is_empty = look.pending_nonce <= nonce;
        (is_empty || urgency == Urgency::Urgent).then_some(Upkeep::Clear(urgency))
    }

    fn settled(slot: &Slot, look: &Look) -> Option<Upkeep> {
        let is_settled = match slot.fate {
            Fate::Included(block) => look.head >= block.saturating_add(KEPT_BLOCKS),
            Fate::Taken(block) => look.read >= block,
            Fate::Waiting | Fate::Lost => false,
        };
        is_settled.then_some(Upkeep::Forget)
    }

    /// What a transaction needs that itself, or one behind it, has still to be on L1.
    fn needed(
        newest: &Sent,
        fate: Fate,
        is_wanted: bool,
        look: &Look,
        urgency: Urgency,
        policy: &FeePolicy,
    ) -> Option<Upkeep> {
        let age = look.head.saturating_sub(newest.l1_block);
        let patience = if urgency == Urgency::Urgent { 1 } else { policy.bump_blocks };
        let is_old = age >= patience;
        let is_too_cheap = newest.tx.fees.max_fee_per_gas < look.prices.base_fee;
        let does_nothing = newest.purpose == Purpose::Nothing;
        match (fate, is_wanted || does_nothing) {
            // What L1 does not take for some blocks, it does not take at this price.
            (Fate::Lost, true) if is_too_cheap || is_old => Some(Upkeep::Raise(urgency)),
            (Fate::Lost, true) => Some(Upkeep::Rebroadcast),
            (_, true) => is_old.then_some(Upkeep::Raise(urgency)),
            (Fate::Lost, false) => Some(Upkeep::Clear(urgency)),
            (_, false) => is_old.then_some(Upkeep::Clear(urgency)),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use turnpike_l1::{Call, Fees};

    use super::*;

    const POLICY: FeePolicy =
        FeePolicy { max_fee_per_gas: 1_000, bump_blocks: 3, urgent_blocks: 5 };

    fn timed(game: u64) -> Purpose {
        Purpose::TimeOut { game }
    }

    fn sent(purpose: Purpose, nonce: u64, deadline: u64, l1_block: u64) -> Sent {
        let call = Call { to: Address::ZERO, value: U256::from(5), input: Default::default() };
        let fees =
            Fees { max_fee_per_gas: 20, max_priority_fee_per_gas: 1, max_fee_per_blob_gas: 0 };
        let (hash, raw) = (B256::with_last_byte(1), Default::default());
        let tx = SignedCall { hash, nonce, call, gas_limit: 100, fees, raw };
        Sent { purpose, deadline, l1_block, tx }
    }

    /// L1 at block 100, with a block a second, and an account that has sent 5 transactions.
    fn look() -> Look {
        Look {
            head: 100,
            time: 1_000,
            read: 100,
            block_seconds: 1,
            nonce: 5,
            pending_nonce: 5,
            prices: Prices { base_fee: 10, ..Prices::default() },
            ..Look::default()
        }
    }

    fn book(slots: &[(u64, u64, u64, u64, Fate)]) -> Book {
        let mut book = Book::default();
        for (nonce, game, deadline, l1_block, fate) in slots {
            book.add(sent(timed(*game), *nonce, *deadline, *l1_block), *fate);
        }
        book
    }

    fn wanted(games: &[u64]) -> BTreeSet<Purpose> {
        games.iter().copied().map(timed).collect()
    }

    #[test]
    fn what_waits_is_raised_when_it_is_old_and_sooner_when_it_is_urgent() {
        let upkeep = |deadline, l1_block| {
            let book = book(&[(5, 1, deadline, l1_block, Fate::Waiting)]);
            book.upkeep(&look(), &wanted(&[1]), &POLICY)
        };
        assert_eq!(upkeep(u64::MAX, 98), []);
        assert_eq!(upkeep(u64::MAX, 97), [(5, Upkeep::Raise(Urgency::HasTime))]);
        assert_eq!(upkeep(1_006, 98), []);
        assert_eq!(upkeep(1_005, 99), [(5, Upkeep::Raise(Urgency::Urgent))]);
        assert_eq!(upkeep(1_005, 100), [], "it may be in the next block");
    }

    #[test]
    fn what_l1_has_lost_is_told_again_or_dearer_if_prices_have_risen() {
        let book = book(&[(5, 1, u64::MAX, 100, Fate::Lost)]);
        let again = book.upkeep(&look(), &wanted(&[1]), &POLICY);
        assert_eq!(again, [(5, Upkeep::Rebroadcast)]);
        let mut spike = look();
        spike.prices.base_fee = 21;
        let dearer = book.upkeep(&spike, &wanted(&[1]), &POLICY);
        assert_eq!(dearer, [(5, Upkeep::Raise(Urgency::HasTime))]);
    }

    #[test]
    fn what_l1_does_not_take_for_some_blocks_is_raised() {
        let upkeep = |deadline, l1_block| {
            let book = book(&[(5, 1, deadline, l1_block, Fate::Lost)]);
            book.upkeep(&look(), &wanted(&[1]), &POLICY)
        };
        assert_eq!(upkeep(u64::MAX, 98), [(5, Upkeep::Rebroadcast)]);
        assert_eq!(upkeep(u64::MAX, 97), [(5, Upkeep::Raise(Urgency::HasTime))]);
        assert_eq!(upkeep(1_002, 99), [(5, Upkeep::Raise(Urgency::Urgent))]);
    }

    #[test]
    fn a_nonce_is_wanted_if_anything_signed_with_it_is() {
        let mut cleared = book(&[(5, 1, 1_002, 90, Fate::Waiting)]);
        cleared.add(sent(Purpose::Nothing, 5, u64::MAX, 99), Fate::Waiting);
        let upkeep = cleared.upkeep(&look(), &wanted(&[1]), &POLICY);
        assert_eq!(upkeep, [(5, Upkeep::Raise(Urgency::Urgent))]);
        assert_eq!(cleared.upkeep(&look(), &wanted(&[]), &POLICY), []);
    }

    #[test]
    fn only_what_is_open_waits_behind_a_nonce() {
        let book = book(&[
            (5, 1, u64::MAX, 90, Fate::Waiting),
            (6, 2, u64::MAX, 90, Fate::Lost),
            (7, 3, u64::MAX, 90, Fate::Included(99)),
        ]);
        assert!(book.is_before_others(5));
        assert!(!book.is_before_others(6));
    }

    #[test]
    fn what_nobody_wants_any_more_is_left_unless_others_wait_behind_it() {
        let (stale, behind) =
            ((5, 1, u64::MAX, 90, Fate::Waiting), (6, 2, 1_002, 100, Fate::Waiting));
        let alone = book(&[stale]).upkeep(&look(), &wanted(&[]), &POLICY);
        assert_eq!(alone, []);
        let before = book(&[stale, behind]).upkeep(&look(), &wanted(&[2]), &POLICY);
        assert_eq!(before, [(5, Upkeep::Clear(Urgency::Urgent))]);
    }

    #[test]
    fn what_is_before_something_urgent_is_as_urgent() {
        let book = book(&[
            (5, 1, u64::MAX, 99, Fate::Waiting),
            (6, 2, 1_002, 100, Fate::Waiting),
            (7, 3, u64::MAX, 99, Fate::Waiting),
        ]);
        let upkeep = book.upkeep(&look(), &wanted(&[1, 2, 3]), &POLICY);
        assert_eq!(upkeep, [(5, Upkeep::Raise(Urgency::Urgent))]);
    }

    #[test]
    fn a_gap_is_filled_unless_somebody_elses_transaction_is_there() {
        let with_time = book(&[(6, 2, u64::MAX, 100, Fate::Waiting)]);
        let upkeep = with_time.upkeep(&look(), &wanted(&[2]), &POLICY);
        assert_eq!(upkeep, [(5, Upkeep::Clear(Urgency::HasTime))]);
        let foreign = Look { pending_nonce: 7, ..look() };
        assert_eq!(with_time.upkeep(&foreign, &wanted(&[2]), &POLICY), []);
        let urgent = book(&[(6, 2, 1_002, 100, Fate::Waiting)]);
        let upkeep = urgent.upkeep(&foreign, &wanted(&[2]), &POLICY);
        assert_eq!(upkeep, [(5, Upkeep::Clear(Urgency::Urgent))]);
    }

    #[test]
    fn nothing_is_sent_twice_until_duties_know_of_it() {
        let busy = |fate| book(&[(4, 1, u64::MAX, 90, fate)]).is_busy(&timed(1), 100);
        assert!(busy(Fate::Waiting) && busy(Fate::Lost));
        assert!(busy(Fate::Included(101)) && busy(Fate::Taken(101)));
        assert!(!busy(Fate::Included(100)) && !busy(Fate::Taken(100)));
        // Nor what was replaced: any one of them may be the one that counts.
        let mut replaced = book(&[(4, 1, u64::MAX, 90, Fate::Waiting)]);
        replaced.add(sent(Purpose::Nothing, 4, u64::MAX, 95), Fate::Waiting);
        assert!(replaced.is_busy(&timed(1), 100));
    }

    #[test]
    fn what_is_on_l1_is_kept_for_as_long_as_a_reorg_may_drop_it() {
        let book = |block| book(&[(4, 1, u64::MAX, 30, Fate::Included(block))]);
        assert_eq!(book(37).upkeep(&look(), &wanted(&[]), &POLICY), []);
        assert_eq!(book(36).upkeep(&look(), &wanted(&[]), &POLICY), [(4, Upkeep::Forget)]);
        let mut dropped = book(60);
        dropped.go_back(60);
        assert!(!dropped.is_busy(&timed(1), 100), "block 60 is still there");
        dropped.go_back(59);
        assert!(dropped.is_busy(&timed(1), 100), "the very same is waited for again");
    }

    #[test]
    fn nonces_of_others_are_passed_over() {
        let book = book(&[(5, 1, u64::MAX, 100, Fate::Waiting)]);
        let next = |pending_nonce| book.next_nonce(&Look { pending_nonce, ..look() });
        assert_eq!((next(5), next(6)), (6, 6));
        let foreign = Look { pending_nonce: 8, ..look() };
        assert!(book.has_foreign(&foreign));
        assert_eq!(book.next_nonce(&foreign), 8);
        assert_eq!(Book::default().next_nonce(&look()), 5);
    }

    #[test]
    fn money_is_spent_once() {
        let book = book(&[
            (4, 9, u64::MAX, 90, Fate::Included(99)),
            (5, 1, u64::MAX, 100, Fate::Waiting),
            (6, 2, u64::MAX, 100, Fate::Lost),
        ]);
        let each = U256::from(5 + 100 * 20);
        assert_eq!(book.committed(None), each * U256::from(2));
        assert_eq!(book.committed(Some(5)), each);
    }
}
