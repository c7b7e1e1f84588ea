//! What was signed with each nonce, and what it needs: pure.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{B256, U256};
use turnpike_l1::BlobSidecar;

use crate::{FeePolicy, GasPrices, SignedTx, TxPurpose, TxType, Urgency};

/// Blocks on top of a transaction after which no reorg is expected to drop it.
const KEPT_BLOCKS: u64 = 64;

/// The chain and the account, as the tx manager saw them last.
#[derive(Clone, Copy, Debug, Default)]
pub struct L1Observation {
    /// Hash of the newest block.
    pub hash: B256,
    /// Its number.
    pub head: u64,
    /// Its timestamp, in seconds.
    pub time: u64,
    /// Number of the last block that the owner's decisions follow from.
    pub read: u64,
    /// Seconds between blocks.
    pub block_seconds: u64,
    /// Transactions of the account in blocks.
    pub nonce: u64,
    /// The same, with those in the pool.
    pub pending_nonce: u64,
    /// Balance of the account, in wei.
    pub balance: U256,
    /// Prices of the next block.
    pub prices: GasPrices,
}

/// A signed transaction and what it is for.
#[derive(Clone, Debug)]
pub struct SentTx<P> {
    /// What it is for; `None` if it cancels the nonce.
    pub purpose: Option<P>,
    /// Timestamp, in seconds, of the last block that it is good for.
    pub deadline: u64,
    /// Newest block when it was signed.
    pub l1_block: u64,
    /// The transaction.
    pub tx: SignedTx,
    /// Its blobs.
    pub sidecar: Option<BlobSidecar>,
}

/// Status of a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxStatus {
    /// The pool holds the newest transaction.
    Pending,
    /// The endpoint does not know the newest transaction.
    Unknown,
    /// This block holds one of the transactions.
    Included(u64),
    /// A transaction of somebody else used the nonce, as seen at this block.
    Displaced(u64),
}

/// All transactions signed with one nonce. At most one of them takes effect.
#[derive(Clone, Debug)]
pub struct NonceState<P> {
    /// The newest last. Never empty.
    pub sent: Vec<SentTx<P>>,
    /// Status of the nonce.
    pub status: TxStatus,
}

/// What a nonce needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upkeep {
    /// No reorg can bring it back: drop it.
    Forget,
    /// Broadcast the newest transaction again.
    Rebroadcast,
    /// Replace the newest transaction by the same one with a higher bid.
    Bump(Urgency),
    /// Use up the nonce with a transaction that does nothing, because others wait behind it.
    Cancel(Urgency),
}

/// What was signed with each nonce of an account.
#[derive(Clone, Debug)]
pub struct NonceTable<P> {
    pub(crate) nonces: BTreeMap<u64, NonceState<P>>,
    /// Whether a transaction of the other type waits until nothing is in flight: then also nonces
    /// that nobody wants have to be used up.
    pub(crate) is_other_type_waiting: bool,
}

impl<P> SentTx<P> {
    /// Whether it is a blob transaction whose blobs are not known.
    pub(crate) const fn lacks_blobs(&self) -> bool {
        self.tx.blobs > 0 && self.sidecar.is_none()
    }
}

impl<P> Default for NonceTable<P> {
    fn default() -> Self {
        Self { nonces: BTreeMap::new(), is_other_type_waiting: false }
    }
}

impl<P> NonceState<P> {
    /// The newest transaction.
    pub fn newest(&self) -> &SentTx<P> {
        self.sent.last().expect("invariant: a nonce has a transaction")
    }

    pub(crate) fn newest_mut(&mut self) -> &mut SentTx<P> {
        self.sent.last_mut().expect("invariant: a nonce has a transaction")
    }

    /// Whether the nonce is in flight, as far as is known.
    pub const fn is_open(&self) -> bool {
        matches!(self.status, TxStatus::Pending | TxStatus::Unknown)
    }

    /// Whether the filter accepts the purpose of any transaction signed with the nonce.
    fn serves(&self, accepts: impl Fn(&P) -> bool) -> bool {
        self.sent.iter().filter_map(|sent| sent.purpose.as_ref()).any(accepts)
    }

    /// Whether decisions that follow from blocks up to `read` do not know the result.
    const fn is_unread(&self, read: u64) -> bool {
        match self.status {
            TxStatus::Pending | TxStatus::Unknown => true,
            TxStatus::Included(block) | TxStatus::Displaced(block) => block > read,
        }
    }
}

impl L1Observation {
    /// Urgency of a transaction with this deadline.
    pub const fn urgency(&self, deadline: u64, policy: &FeePolicy) -> Urgency {
        let urgent_seconds = policy.urgent_blocks.saturating_mul(self.block_seconds);
        if deadline.saturating_sub(self.time) <= urgent_seconds {
            Urgency::Urgent
        } else {
            Urgency::Normal
        }
    }
}

impl<P: TxPurpose> NonceTable<P> {
    /// Adds a signed transaction.
    pub(crate) fn add(&mut self, sent: SentTx<P>, status: TxStatus) {
        let state =
            self.nonces.entry(sent.tx.nonce).or_insert(NonceState { sent: Vec::new(), status });
        state.sent.push(sent);
        state.status = status;
    }

    /// The state of a nonce, if something was signed with it.
    pub fn get(&self, nonce: u64) -> Option<&NonceState<P>> {
        self.nonces.get(&nonce)
    }

    /// Returns every nonce that was settled after `block` to pending: a reorg has dropped those
    /// blocks.
    pub(crate) fn rewind(&mut self, block: u64) {
        for state in self.nonces.values_mut() {
            if matches!(state.status, TxStatus::Included(at) | TxStatus::Displaced(at) if at > block)
            {
                state.status = TxStatus::Pending;
            }
        }
    }

    /// Nonces whose result the owner, who has read blocks up to `read`, does not know.
    pub fn unsettled(&self, read: u64) -> Vec<u64> {
        self.unread(read).map(|(nonce, _)| nonce).collect()
    }

    /// Whether a transaction with this purpose is in flight, or in a block that the owner has not
    /// read.
    pub fn is_busy(&self, purpose: &P, read: u64) -> bool {
        self.is_any_busy(read, |other| other == purpose)
    }

    /// The same for any purpose that the filter accepts.
    pub fn is_any_busy(&self, read: u64, accepts: impl Fn(&P) -> bool) -> bool {
        self.unread(read).any(|(_, state)| state.serves(&accepts))
    }

    /// Whether a transaction with this purpose is in flight, or in a block that the owner has not
    /// read, with another nonce than this one.
    pub(crate) fn is_busy_beside(&self, nonce: u64, purpose: &P, read: u64) -> bool {
        let mut others = self.unread(read).filter(|(other, _)| *other != nonce);
        others.any(|(_, state)| state.serves(|other| other == purpose))
    }

    fn unread(&self, read: u64) -> impl Iterator<Item = (u64, &NonceState<P>)> {
        let unread = self.nonces.iter().filter(move |(_, state)| state.is_unread(read));
        unread.map(|(nonce, state)| (*nonce, state))
    }

    /// Nonces in flight, in order.
    pub(crate) fn open(&self) -> impl DoubleEndedIterator<Item = (u64, &NonceState<P>)> {
        let open = self.nonces.iter().filter(|(_, state)| state.is_open());
        open.map(|(nonce, state)| (*nonce, state))
    }

    /// The first nonce in flight, and the newest transaction signed with it.
    pub fn first_open(&self) -> Option<(u64, &SentTx<P>)> {
        self.open().next().map(|(nonce, state)| (nonce, state.newest()))
    }

    /// The lowest nonce in flight from which on no transaction serves a wanted purpose.
    pub fn first_unneeded(&self, wanted: &BTreeSet<P>) -> Option<u64> {
        let is_needed = |state: &NonceState<P>| state.serves(|purpose| wanted.contains(purpose));
        let unneeded = self.open().rev().take_while(|(_, state)| !is_needed(state));
        unneeded.last().map(|(nonce, _)| nonce)
    }

    /// Brings the deadline of every transaction with this purpose forward to `deadline`.
    pub(crate) fn hasten(&mut self, purpose: &P, deadline: u64) {
        let sent = self.nonces.values_mut().flat_map(|state| &mut state.sent);
        for sent in sent.filter(|sent| sent.purpose.as_ref() == Some(purpose)) {
            sent.deadline = sent.deadline.min(deadline);
        }
    }

    /// Whether open nonces wait behind this one.
    pub(crate) fn has_followers(&self, nonce: u64) -> bool {
        self.nonces.range(nonce.saturating_add(1)..).any(|(_, state)| state.is_open())
    }

    /// Transactions in flight.
    pub fn in_flight(&self) -> usize {
        self.open().count()
    }

    /// Whether a transaction of the other type is in flight: pools refuse both side by side.
    pub(crate) fn has_other_type(&self, tx_type: TxType) -> bool {
        self.open().any(|(_, state)| state.newest().tx.tx_type() != tx_type)
    }

    /// Most that transactions in flight can take from the account, in wei, except that with nonce
    /// `without`.
    pub fn committed(&self, without: Option<u64>) -> U256 {
        let open = self.open().filter(|(nonce, _)| Some(*nonce) != without);
        open.map(|(_, state)| state.newest().tx.worst_cost()).sum()
    }

    /// Whether the pool holds foreign transactions: of the same account, and not in this table.
    pub fn has_foreign(&self, l1: &L1Observation) -> bool {
        let ours = self.open().next_back().map_or(0, |(nonce, _)| nonce + 1);
        l1.pending_nonce > ours.max(l1.nonce)
    }

    /// Nonce of the next transaction: the first that is free, behind foreign transactions.
    pub fn next_nonce(&self, l1: &L1Observation) -> u64 {
        self.free_nonce(if self.has_foreign(l1) { l1.pending_nonce } else { l1.nonce })
    }

    /// The first nonce from `first` on that the table does not hold.
    pub(crate) fn free_nonce(&self, first: u64) -> u64 {
        (first..).find(|nonce| !self.nonces.contains_key(nonce)).unwrap_or(first)
    }

    /// What each nonce needs, in order. `wanted` is what the owner still wants on chain.
    pub fn upkeep(
        &self,
        l1: &L1Observation,
        wanted: &BTreeSet<P>,
        policy: &FeePolicy,
    ) -> Vec<(u64, Upkeep)> {
        let gaps = self.open().next_back().map_or(0..0, |(last, _)| l1.nonce..last);
        let nonces = self.nonces.keys().copied().chain(gaps).collect::<BTreeSet<_>>();
        let mut due = Vec::new();
        // Earliest deadline from here on. No transaction gets past those before it.
        let mut deadline = self.is_other_type_waiting.then_some(u64::MAX);
        for nonce in nonces.into_iter().rev() {
            let Some(state) = self.nonces.get(&nonce) else {
                let upkeep = deadline.and_then(|by| Self::gap(nonce, by, l1, policy));
                due.extend(upkeep.map(|upkeep| (nonce, upkeep)));
                continue;
            };
            // Any transaction signed with a nonce may keep its purpose from being served by another
            // one.
            let purposes = state.sent.iter().filter_map(|it| Some((it.purpose.as_ref()?, it)));
            let needed = purposes.filter(|(it, _)| it.is_standing() || wanted.contains(it));
            let needed_by = needed.map(|(_, sent)| sent.deadline).min();
            let is_wanted = needed_by.is_some();
            if state.is_open() {
                deadline = deadline.into_iter().chain(needed_by).min();
            }
            let upkeep = match (state.is_open(), deadline) {
                (false, _) => Self::settled(state, l1),
                // Nobody needs it: it may land or stay until its nonce is needed.
                (true, None) => None,
                (true, Some(by)) => {
                    let urgency = l1.urgency(by, policy);
                    let age = self.age(nonce, state, l1, urgency);
                    Self::needed(state, is_wanted, l1, urgency, age, policy)
                }
            };
            due.extend(upkeep.map(|upkeep| (nonce, upkeep)));
        }
        due.reverse();
        // A reorg may return both types to pending. Pools refuse them side by side: those of the
        // other type wait for the first.
        let first = self.first_open().map(|(_, sent)| sent.tx.tx_type());
        due.retain(|(nonce, upkeep)| {
            let newest = self.nonces.get(nonce).map(|state| state.newest().tx.tx_type());
            *upkeep == Upkeep::Forget || newest.is_none() || newest == first
        });
        due
    }

    /// A nonce without a transaction of ours. A foreign transaction there gets its time.
    fn gap(nonce: u64, deadline: u64, l1: &L1Observation, policy: &FeePolicy) -> Option<Upkeep> {
        let urgency = l1.urgency(deadline, policy);
        let is_empty = l1.pending_nonce <= nonce;
        (is_empty || urgency == Urgency::Urgent).then_some(Upkeep::Cancel(urgency))
    }

    fn settled(state: &NonceState<P>, l1: &L1Observation) -> Option<Upkeep> {
        let is_settled = match state.status {
            TxStatus::Included(block) => l1.head >= block.saturating_add(KEPT_BLOCKS),
            TxStatus::Displaced(block) => l1.read >= block,
            TxStatus::Pending | TxStatus::Unknown => false,
        };
        is_settled.then_some(Upkeep::Forget)
    }

    /// Blocks for which a transaction could have landed. It cannot before those with lower nonces,
    /// so the time behind them does not count, unless it is urgent.
    fn age(&self, nonce: u64, state: &NonceState<P>, l1: &L1Observation, urgency: Urgency) -> u64 {
        let signed = state.newest().l1_block;
        if urgency == Urgency::Urgent {
            return l1.head.saturating_sub(signed);
        }
        let before = nonce.checked_sub(1).and_then(|before| self.nonces.get(&before));
        let first_since = match before.map(|before| before.status) {
            Some(TxStatus::Included(block) | TxStatus::Displaced(block)) => block.max(signed),
            Some(TxStatus::Pending | TxStatus::Unknown) => l1.head,
            None => signed,
        };
        l1.head.saturating_sub(first_since)
    }

    /// What an open nonce needs if its own transaction, or one behind it, is wanted.
    fn needed(
        state: &NonceState<P>,
        is_wanted: bool,
        l1: &L1Observation,
        urgency: Urgency,
        age: u64,
        policy: &FeePolicy,
    ) -> Option<Upkeep> {
        let newest = state.newest();
        let patience = if urgency == Urgency::Urgent { 1 } else { policy.bump_blocks };
        let is_old = age >= patience;
        let is_too_cheap = newest.tx.fees.max_fee_per_gas < l1.prices.base_fee;
        let is_cancellation = newest.purpose.is_none();
        match (state.status, is_wanted || is_cancellation) {
            // A pool that has not accepted it for some blocks does not accept it at this bid.
            (TxStatus::Unknown, true) if is_too_cheap || is_old => Some(Upkeep::Bump(urgency)),
            (TxStatus::Unknown, true) => Some(Upkeep::Rebroadcast),
            (_, true) => is_old.then_some(Upkeep::Bump(urgency)),
            (TxStatus::Unknown, false) => Some(Upkeep::Cancel(urgency)),
            (_, false) => is_old.then_some(Upkeep::Cancel(urgency)),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use turnpike_l1::Call;

    use super::*;
    use crate::Fees;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct TimeOut {
        game: u64,
    }

    impl TxPurpose for TimeOut {}

    const POLICY: FeePolicy = FeePolicy {
        max_fee_per_gas: 1_000,
        max_fee_per_blob_gas: 0,
        bump_blocks: 3,
        urgent_blocks: 5,
        gas_margin_percent: 20,
    };

    const fn timed(game: u64) -> TimeOut {
        TimeOut { game }
    }

    fn sent(purpose: Option<TimeOut>, nonce: u64, deadline: u64, l1_block: u64) -> SentTx<TimeOut> {
        let call = Call { to: Address::ZERO, value: U256::from(5), input: Default::default() };
        let fees =
            Fees { max_fee_per_gas: 20, max_priority_fee_per_gas: 1, max_fee_per_blob_gas: 0 };
        let (hash, raw) = (B256::with_last_byte(1), Default::default());
        let tx = SignedTx { hash, nonce, call, gas_limit: 100, fees, blobs: 0, raw };
        SentTx { purpose, deadline, l1_block, tx, sidecar: None }
    }

    /// L1 at block 100, with a block a second, and an account that has sent 5 transactions.
    fn l1() -> L1Observation {
        L1Observation {
            head: 100,
            time: 1_000,
            read: 100,
            block_seconds: 1,
            nonce: 5,
            pending_nonce: 5,
            prices: GasPrices { base_fee: 10, ..GasPrices::default() },
            ..L1Observation::default()
        }
    }

    fn table(nonces: &[(u64, u64, u64, u64, TxStatus)]) -> NonceTable<TimeOut> {
        let mut table = NonceTable::default();
        for (nonce, game, deadline, l1_block, status) in nonces {
            table.add(sent(Some(timed(*game)), *nonce, *deadline, *l1_block), *status);
        }
        table
    }

    fn wanted(games: &[u64]) -> BTreeSet<TimeOut> {
        games.iter().copied().map(timed).collect()
    }

    #[test]
    fn pending_transaction_is_bumped_when_old_and_sooner_when_urgent() {
        let upkeep = |deadline, l1_block| {
            let table = table(&[(5, 1, deadline, l1_block, TxStatus::Pending)]);
            table.upkeep(&l1(), &wanted(&[1]), &POLICY)
        };
        assert_eq!(upkeep(u64::MAX, 98), []);
        assert_eq!(upkeep(u64::MAX, 97), [(5, Upkeep::Bump(Urgency::Normal))]);
        assert_eq!(upkeep(1_006, 98), []);
        assert_eq!(upkeep(1_005, 99), [(5, Upkeep::Bump(Urgency::Urgent))]);
        assert_eq!(upkeep(1_005, 100), [], "it may be in the next block");
    }

    #[test]
    fn unknown_transaction_is_rebroadcast_or_bumped_if_prices_rose() {
        let table = table(&[(5, 1, u64::MAX, 100, TxStatus::Unknown)]);
        let again = table.upkeep(&l1(), &wanted(&[1]), &POLICY);
        assert_eq!(again, [(5, Upkeep::Rebroadcast)]);
        let mut spike = l1();
        spike.prices.base_fee = 21;
        let dearer = table.upkeep(&spike, &wanted(&[1]), &POLICY);
        assert_eq!(dearer, [(5, Upkeep::Bump(Urgency::Normal))]);
    }

    #[test]
    fn unknown_transaction_is_bumped_after_some_blocks() {
        let upkeep = |deadline, l1_block| {
            let table = table(&[(5, 1, deadline, l1_block, TxStatus::Unknown)]);
            table.upkeep(&l1(), &wanted(&[1]), &POLICY)
        };
        assert_eq!(upkeep(u64::MAX, 98), [(5, Upkeep::Rebroadcast)]);
        assert_eq!(upkeep(u64::MAX, 97), [(5, Upkeep::Bump(Urgency::Normal))]);
        assert_eq!(upkeep(1_002, 99), [(5, Upkeep::Bump(Urgency::Urgent))]);
    }

    #[test]
    fn nonce_is_wanted_if_any_transaction_signed_with_it_is() {
        let mut cleared = table(&[(5, 1, 1_002, 90, TxStatus::Pending)]);
        cleared.add(sent(None, 5, u64::MAX, 99), TxStatus::Pending);
        let upkeep = cleared.upkeep(&l1(), &wanted(&[1]), &POLICY);
        assert_eq!(upkeep, [(5, Upkeep::Bump(Urgency::Urgent))]);
        assert_eq!(cleared.upkeep(&l1(), &wanted(&[]), &POLICY), []);
    }

    #[test]
    fn only_open_nonces_follow_a_nonce() {
        let table = table(&[
            (5, 1, u64::MAX, 90, TxStatus::Pending),
            (6, 2, u64::MAX, 90, TxStatus::Unknown),
            (7, 3, u64::MAX, 90, TxStatus::Included(99)),
        ]);
        assert!(table.has_followers(5));
        assert!(!table.has_followers(6));
    }

    #[test]
    fn unwanted_transaction_is_cancelled_only_if_others_follow() {
        let (stale, behind) =
            ((5, 1, u64::MAX, 90, TxStatus::Pending), (6, 2, 1_002, 100, TxStatus::Pending));
        let alone = table(&[stale]).upkeep(&l1(), &wanted(&[]), &POLICY);
        assert_eq!(alone, []);
        let before = table(&[stale, behind]).upkeep(&l1(), &wanted(&[2]), &POLICY);
        assert_eq!(before, [(5, Upkeep::Cancel(Urgency::Urgent))]);
    }

    #[test]
    fn unwanted_transaction_is_cancelled_if_one_of_the_other_type_waits() {
        let mut table = table(&[(5, 1, u64::MAX, 90, TxStatus::Unknown)]);
        assert_eq!(table.upkeep(&l1(), &wanted(&[]), &POLICY), []);
        table.is_other_type_waiting = true;
        let upkeep = table.upkeep(&l1(), &wanted(&[]), &POLICY);
        assert_eq!(upkeep, [(5, Upkeep::Cancel(Urgency::Normal))]);
    }

    #[test]
    fn nonce_before_an_urgent_one_is_as_urgent() {
        let table = table(&[
            (5, 1, u64::MAX, 99, TxStatus::Pending),
            (6, 2, 1_002, 100, TxStatus::Pending),
            (7, 3, u64::MAX, 99, TxStatus::Pending),
        ]);
        let upkeep = table.upkeep(&l1(), &wanted(&[1, 2, 3]), &POLICY);
        assert_eq!(upkeep, [(5, Upkeep::Bump(Urgency::Urgent))]);
    }

    #[test]
    fn gap_is_cancelled_unless_a_foreign_transaction_is_there() {
        let with_time = table(&[(6, 2, u64::MAX, 100, TxStatus::Pending)]);
        let upkeep = with_time.upkeep(&l1(), &wanted(&[2]), &POLICY);
        assert_eq!(upkeep, [(5, Upkeep::Cancel(Urgency::Normal))]);
        let foreign = L1Observation { pending_nonce: 7, ..l1() };
        assert_eq!(with_time.upkeep(&foreign, &wanted(&[2]), &POLICY), []);
        let urgent = table(&[(6, 2, 1_002, 100, TxStatus::Pending)]);
        let upkeep = urgent.upkeep(&foreign, &wanted(&[2]), &POLICY);
        assert_eq!(upkeep, [(5, Upkeep::Cancel(Urgency::Urgent))]);
    }

    #[test]
    fn purpose_is_busy_until_the_owner_has_read_the_block() {
        let busy = |status| table(&[(4, 1, u64::MAX, 90, status)]).is_busy(&timed(1), 100);
        assert!(busy(TxStatus::Pending) && busy(TxStatus::Unknown));
        assert!(busy(TxStatus::Included(101)) && busy(TxStatus::Displaced(101)));
        assert!(!busy(TxStatus::Included(100)) && !busy(TxStatus::Displaced(100)));
        // Nor what was replaced: any one of them may be the one that counts.
        let mut replaced = table(&[(4, 1, u64::MAX, 90, TxStatus::Pending)]);
        replaced.add(sent(None, 4, u64::MAX, 95), TxStatus::Pending);
        assert!(replaced.is_busy(&timed(1), 100));
    }

    #[test]
    fn included_transaction_is_kept_while_a_reorg_may_drop_it() {
        let table = |block| table(&[(4, 1, u64::MAX, 30, TxStatus::Included(block))]);
        assert_eq!(table(37).upkeep(&l1(), &wanted(&[]), &POLICY), []);
        assert_eq!(table(36).upkeep(&l1(), &wanted(&[]), &POLICY), [(4, Upkeep::Forget)]);
        let mut dropped = table(60);
        dropped.rewind(60);
        assert!(!dropped.is_busy(&timed(1), 100), "block 60 is still there");
        dropped.rewind(59);
        assert!(dropped.is_busy(&timed(1), 100), "the very same is waited for again");
    }

    #[test]
    fn transactions_of_the_other_type_wait_for_the_first() {
        let mut table = table(&[
            (5, 1, u64::MAX, 90, TxStatus::Unknown),
            (6, 2, u64::MAX, 100, TxStatus::Unknown),
            (7, 3, u64::MAX, 100, TxStatus::Unknown),
        ]);
        let blobs = |table: &mut NonceTable<TimeOut>, nonce| {
            let state = table.nonces.get_mut(&nonce).expect("it is there");
            state.newest_mut().tx.blobs = 1;
        };
        blobs(&mut table, 6);
        let upkeep =
            |table: &NonceTable<TimeOut>| table.upkeep(&l1(), &wanted(&[1, 2, 3]), &POLICY);
        let (first, third) = ((5, Upkeep::Bump(Urgency::Normal)), (7, Upkeep::Rebroadcast));
        assert_eq!(upkeep(&table), [first, third]);
        blobs(&mut table, 5);
        assert_eq!(upkeep(&table), [first, (6, Upkeep::Rebroadcast)]);
    }

    #[test]
    fn foreign_nonces_are_skipped() {
        let table = table(&[(5, 1, u64::MAX, 100, TxStatus::Pending)]);
        let next = |pending_nonce| table.next_nonce(&L1Observation { pending_nonce, ..l1() });
        assert_eq!((next(5), next(6)), (6, 6));
        let foreign = L1Observation { pending_nonce: 8, ..l1() };
        assert!(table.has_foreign(&foreign));
        assert_eq!(table.next_nonce(&foreign), 8);
        assert_eq!(NonceTable::<TimeOut>::default().next_nonce(&l1()), 5);
    }

    #[test]
    fn committed_funds_count_open_transactions_once() {
        let table = table(&[
            (4, 9, u64::MAX, 90, TxStatus::Included(99)),
            (5, 1, u64::MAX, 100, TxStatus::Pending),
            (6, 2, u64::MAX, 100, TxStatus::Unknown),
        ]);
        let each = U256::from(5 + 100 * 20);
        assert_eq!(table.committed(None), each * U256::from(2));
        assert_eq!(table.committed(Some(5)), each);
    }
}
