//! Chooses the transactions of the next slice from the pool.
//!
//! # Job
//!
//! While everything that can run fits the slice, it runs in the order of arrival. A slice that is
//! too small goes to the highest effective tips, and of equal ones to the first arrival, so that
//! spam has to outbid everybody whom it would delay. The check costs a few additions per change of
//! the pool, and nothing is sorted while everything fits.
//!
//! # Limits
//!
//! Whatever fits the rest of the block, [`SLICE_TRANSACTIONS_MAX`] and [`SlicePace`]. While
//! several senders wait for a slice that is too small, each gets one part in [`SENDER_SHARES`] of
//! it at most. Room that this leaves stays empty: the next slice follows at once, and what is in
//! this one is preconfirmed earlier.

use std::{collections::HashMap, time::Duration};

use alloy_primitives::Address;

use crate::{Pool, PooledTx, builder::TRANSACTION_OVERHEAD_BYTES, pool::TxTotals};

/// Transactions in a slice, at most. A larger slice runs more transactions in parallel, but delays
/// every preconfirmation in it.
pub(crate) const SLICE_TRANSACTIONS_MAX: usize = 2_048;

/// Gas limits of a slice's transactions in sum, at most; one transaction may exceed it. Calls ask
/// for more gas than they use: with half of this, a slice of them would be too short to run in
/// lanes. [`SlicePace`] lowers it while slices take long.
pub(crate) const SLICE_GAS_MAX: u64 = 1 << 26;

/// The lowest that [`SlicePace`] makes of [`SLICE_GAS_MAX`]: the largest transaction.
const SLICE_GAS_MIN: u64 = 1 << 24;

/// Time that a slice may take before the next ones get smaller. All of a slice is executed before
/// any of it is preconfirmed, and before a newcomer gets its turn.
const SLICE_TIME: Duration = Duration::from_millis(40);

/// A sender gets one part in this many of a slice that is too small for all, so that one account
/// cannot hold it.
pub(crate) const SENDER_SHARES: u64 = 4;

/// Room for transactions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) transactions: u64,
    /// Bytes in a block.
    pub(crate) bytes: usize,
    /// Gas limits in sum.
    pub(crate) gas: u64,
}

/// How much gas the next slice may have. Slices that are full and take longer than [`SLICE_TIME`]
/// halve it, full ones that take a quarter of that double it.
#[derive(Debug)]
pub(crate) struct SlicePace {
    gas: u64,
}

impl Default for SlicePace {
    fn default() -> Self {
        Self { gas: SLICE_GAS_MAX }
    }
}

impl SlicePace {
    /// Room in the next slice.
    pub(crate) const fn room(&self) -> Room {
        Room { gas: self.gas, ..Room::SLICE }
    }

    /// Notes how long a slice with these gas limits took.
    pub(crate) fn note(&mut self, gas: u128, took: Duration) {
        if gas < u128::from(self.gas / 2) {
            return;
        }
        if took > SLICE_TIME {
            self.gas = (self.gas / 2).max(SLICE_GAS_MIN);
        } else if took < SLICE_TIME / 4 {
            self.gas = (self.gas * 2).min(SLICE_GAS_MAX);
        }
    }
}

impl Room {
    const NONE: Self = Self { transactions: 0, bytes: 0, gas: 0 };

    const SLICE: Self =
        Self { transactions: SLICE_TRANSACTIONS_MAX as u64, bytes: usize::MAX, gas: SLICE_GAS_MAX };

    /// What is left behind these transactions; `None` if they do not fit.
    fn without(self, totals: TxTotals) -> Option<Self> {
        let overhead = totals.transactions.checked_mul(TRANSACTION_OVERHEAD_BYTES)?;
        Some(Self {
            transactions: self.transactions.checked_sub(totals.transactions as u64)?,
            bytes: self.bytes.checked_sub(totals.bytes.checked_add(overhead)?)?,
            gas: self.gas.checked_sub(u64::try_from(totals.gas).ok()?)?,
        })
    }

    /// A sender's share.
    const fn share(self) -> Self {
        let Self { transactions, bytes, gas } = self;
        Self { transactions: transactions / SENDER_SHARES, bytes, gas: gas / SENDER_SHARES }
    }
}

/// The content of the pool after the popped transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolRemainder {
    /// No ready transaction.
    Empty,
    /// More, which may fit once the popped ones were executed.
    More,
    /// More, none of which fits.
    TooLarge,
}

/// Pops the transactions of a slice with this room. They certainly fit the block.
pub(crate) fn pop_slice(
    pool: &mut Pool,
    base_fee: u64,
    block: Room,
    slice: Room,
) -> (Vec<PooledTx>, PoolRemainder) {
    pool.set_base_fee(base_fee);
    let all = pool.runnable_totals();
    if block.without(all).is_some() && slice.without(all).is_some() {
        pool.end_ranking();
        let some = std::iter::from_fn(|| pool.pop_ready(base_fee)).collect();
        return (some, PoolRemainder::Empty);
    }
    pop_highest_tips(pool, block, slice)
}

/// Pops what pays most for a slice that is too small.
fn pop_highest_tips(
    pool: &mut Pool,
    mut block: Room,
    mut slice: Room,
) -> (Vec<PooledTx>, PoolRemainder) {
    let mut shares = SenderShares::new(slice, pool.runnable_senders());
    let (mut some, mut aside) = (Vec::new(), Vec::new());
    let rest = loop {
        let Some(tx) = pool.highest_bidder() else {
            break if aside.is_empty() { PoolRemainder::Empty } else { PoolRemainder::More };
        };
        let totals = TxTotals::of(tx);
        if !shares.holds(tx, totals) {
            aside.extend(pool.set_aside());
            continue;
        }
        // What does not fit is next: smaller ones that pay less must not keep it out for ever.
        let Some(block_left) = block.without(totals) else {
            break if some.is_empty() { PoolRemainder::TooLarge } else { PoolRemainder::More };
        };
        let slice_left = match slice.without(totals) {
            None if !some.is_empty() => break PoolRemainder::More,
            left => left.unwrap_or(Room::NONE),
        };
        (block, slice) = (block_left, slice_left);
        shares.take(tx, totals);
        some.extend(pool.pop_highest_bidder());
    };
    pool.recall(aside);
    pool.note_small_slice(&some);
    (some, rest)
}

/// What each sender may still take of a slice.
#[derive(Debug)]
struct SenderShares {
    /// `None` for a sole sender, which may take everything.
    share: Option<Room>,
    left: HashMap<Address, Room>,
}

impl SenderShares {
    fn new(slice: Room, senders: usize) -> Self {
        Self { share: (senders > 1).then(|| slice.share()), left: HashMap::new() }
    }

    /// Whether the sender may take this much more. Its first transaction always may, however large,
    /// and so may rewound ones, which keep the order in which they were promised.
    fn holds(&self, tx: &PooledTx, totals: TxTotals) -> bool {
        let left = self.left.get(&tx.sender);
        tx.is_rewound() || left.is_none_or(|left| left.without(totals).is_some())
    }

    fn take(&mut self, tx: &PooledTx, totals: TxTotals) {
        if let Some(share) = self.share {
            let left = self.left.entry(tx.sender).or_insert(share);
            *left = left.without(totals).unwrap_or(Room::NONE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{
        PoolLimits,
        pool::{
            ARRIVAL_FIRST,
            tests::{arrivals, with_gas},
        },
    };

    const BASE_FEE: u64 = 100;

    const BLOCK: Room = Room { transactions: 1_000, bytes: 1_000_000, gas: 1_000_000 };

    const SLICE: Room = Room { transactions: 8, bytes: usize::MAX, gas: 800 };

    /// Pays this tip, with 100 gas.
    fn tx(sender: u8, nonce: u64, arrival: u64, tip: u128) -> PooledTx {
        with_gas(sender, nonce, arrival, (10_000, tip), 100)
    }

    fn pool_of(txs: impl IntoIterator<Item = PooledTx>) -> Pool {
        let mut pool = Pool::new(PoolLimits::default());
        for tx in txs {
            pool.restore(tx, 0, Instant::now()).expect("fits");
        }
        pool
    }

    #[test]
    fn slices_get_smaller_while_full_ones_take_long() {
        let mut pace = SlicePace::default();
        let millis = Duration::from_millis;
        let mut after = |gas, took| {
            pace.note(gas, millis(took));
            pace.room().gas
        };
        assert_eq!(after(1 << 26, 40), 1 << 26);
        assert_eq!(after(1 << 26, 41), 1 << 25);
        assert_eq!(after(1 << 25, 500), 1 << 24);
        assert_eq!(after(1 << 24, 500), 1 << 24, "the largest transaction fits");
        assert_eq!(after(1 << 20, 0), 1 << 24, "it was not full");
        assert_eq!(after(1 << 24, 10), 1 << 24);
        assert_eq!(after(1 << 23, 9), 1 << 25);
        assert_eq!(after(1 << 20, 500), 1 << 25, "its gas is not why it took long");
        assert_eq!([after(1 << 25, 9), after(1 << 26, 0)], [1 << 26; 2]);
    }

    /// The arrivals of the next slice.
    fn next(pool: &mut Pool) -> (Vec<u64>, PoolRemainder) {
        let (some, rest) = pop_slice(pool, BASE_FEE, BLOCK, SLICE);
        (arrivals(some), rest)
    }

    #[test]
    fn arrival_decides_while_everything_fits() {
        // One sender may hold a slice that has room for all others, too.
        let of_one = (0..7).map(|nonce| tx(1, nonce, nonce, 0));
        let mut pool = pool_of(of_one.chain([tx(2, 0, 7, 1_000)]));
        assert_eq!(next(&mut pool), ((0..8).collect(), PoolRemainder::Empty));
    }

    #[test]
    fn tip_decides_when_a_slice_is_too_small() {
        let mut pool = pool_of((0..9).map(|at| tx(at, 0, at.into(), at.into())));
        assert_eq!(next(&mut pool), ((1..9).rev().collect(), PoolRemainder::More));
        assert_eq!(next(&mut pool), (vec![0], PoolRemainder::Empty));
    }

    #[test]
    fn suggested_tip_is_above_the_lowest_of_a_small_slice() {
        let start = Instant::now();
        let mut pool = Pool::new(PoolLimits::default());
        let add = |pool: &mut Pool, first: u8, last: u8, tip: u128, after: u64| {
            let now = start + Duration::from_secs(after);
            for at in first..=last {
                let tx = tx(at, 0, at.into(), tip + u128::from(at));
                pool.restore(tx, 0, now).expect("fits");
            }
        };
        let suggested = |pool: &Pool, after| pool.suggested_tip(start + Duration::from_secs(after));
        add(&mut pool, 0, 7, 100, 0);
        next(&mut pool);
        assert_eq!(suggested(&pool, 0), 0, "everything fitted");
        add(&mut pool, 10, 20, 100, 1);
        assert_eq!(next(&mut pool).0, (13..=20).rev().collect::<Vec<_>>());
        // 113, and a tenth of it, rounded up.
        assert_eq!([1, 10].map(|after| suggested(&pool, after)), [125; 2]);
        assert_eq!(suggested(&pool, 11), 0, "ten seconds later");
        add(&mut pool, 30, 45, 0, 12);
        next(&mut pool);
        assert_eq!(suggested(&pool, 12), 46, "of the newest small slice");
    }

    #[test]
    fn suggested_tip_is_a_wei_at_least_once_a_slice_was_too_small() {
        let mut pool = pool_of((0..9).map(|at| tx(at, 0, at.into(), 0)));
        next(&mut pool);
        assert_eq!(pool.suggested_tip(Instant::now()), 1);
    }

    #[test]
    fn arrival_decides_between_equal_tips() {
        let mut pool = pool_of([8, 3, 5, 0, 6, 1, 7, 2, 4].map(|at| {
            let sender = 20 - u8::try_from(at).expect("few");
            tx(sender, 0, at, 5)
        }));
        assert_eq!(next(&mut pool), ((0..8).collect(), PoolRemainder::More));
    }

    #[test]
    fn tip_is_limited_by_the_fee_cap() {
        let fee_cap = |sender, arrival, fee| with_gas(sender, 0, arrival, (fee, fee), 400);
        // Caps of 101, 102 and 103 leave a tip of 1, 2 and 3.
        let mut pool = pool_of([fee_cap(1, 0, 101), fee_cap(2, 1, 103), fee_cap(3, 2, 102)]);
        // Beside these, 90 pays too little, however long it has waited.
        pool.restore(fee_cap(4, 3, 90), 0, Instant::now()).expect("fits");
        assert_eq!(next(&mut pool), (vec![1, 2], PoolRemainder::More));
        assert_eq!(next(&mut pool), (vec![0], PoolRemainder::Empty));
    }

    #[test]
    fn ranking_follows_the_base_fee() {
        let fee = |sender, arrival, fee, tip| with_gas(sender, 0, arrival, (fee, tip), 800);
        let txs = || [fee(1, 0, 150, 150), fee(2, 1, 900, 60), fee(3, 2, 900, 10)];
        let first = |pool: &mut Pool, base_fee| {
            let (some, _) = pop_slice(pool, base_fee, BLOCK, SLICE);
            arrivals(some)
        };
        let mut pool = pool_of(txs());
        assert_eq!(first(&mut pool, 80), [0], "it tips 70");
        let mut pool = pool_of(txs().into_iter().chain([fee(4, 3, 900, 900)]));
        assert_eq!(first(&mut pool, 80), [3]);
        assert_eq!(first(&mut pool, 100), [1], "sender 1 tips 50 at the new base fee");
        assert_eq!(first(&mut pool, 20), [0], "sender 1 tips 130 at the new base fee");
    }

    #[test]
    fn tip_never_changes_the_order_of_nonces() {
        let own = [tx(1, 0, 0, 1), tx(1, 1, 1, 1_000)];
        let mut pool = pool_of(own.into_iter().chain((2..9).map(|at| tx(at, 0, at.into(), 5))));
        assert_eq!(next(&mut pool), (vec![2, 3, 4, 5, 6, 7, 8, 0], PoolRemainder::More));
        assert_eq!(next(&mut pool), (vec![1], PoolRemainder::Empty));
    }

    #[test]
    fn sender_gets_its_share_of_a_small_slice() {
        // Sender 1 pays best, and gets a quarter.
        let of_one = (0..20).map(|nonce| tx(1, nonce, nonce, 9));
        let mut pool = pool_of(of_one.chain([tx(2, 0, 20, 1), tx(2, 1, 21, 1)]));
        assert_eq!(next(&mut pool), (vec![0, 1, 20, 21], PoolRemainder::More));
        // Now it is alone.
        assert_eq!(next(&mut pool), ((2..10).collect(), PoolRemainder::More));
    }

    #[test]
    fn sender_share_counts_gas_but_not_of_its_first() {
        let heavy =
            |sender, nonce, arrival, tip| with_gas(sender, nonce, arrival, (10_000, tip), 300);
        // A share of 200 gas does not hold any of these.
        let of_one = (0..4).map(|nonce| heavy(1, nonce, nonce, 9));
        let mut pool = pool_of(of_one.chain([heavy(2, 0, 4, 1), heavy(2, 1, 5, 1)]));
        assert_eq!(next(&mut pool), (vec![0, 4], PoolRemainder::More));
        assert_eq!(next(&mut pool), (vec![1, 5], PoolRemainder::More));
    }

    #[test]
    fn slice_takes_one_transaction_of_any_gas() {
        let mut pool = pool_of([with_gas(1, 0, 0, (10_000, 9), 5_000), tx(2, 0, 1, 1)]);
        assert_eq!(next(&mut pool), (vec![0], PoolRemainder::More));
        assert_eq!(next(&mut pool), (vec![1], PoolRemainder::Empty));
    }

    #[test]
    fn transaction_without_room_is_next() {
        let txs = [tx(1, 0, 0, 9), with_gas(2, 0, 1, (10_000, 5), 750), tx(3, 0, 2, 1)];
        let mut pool = pool_of(txs);
        assert_eq!(next(&mut pool), (vec![0], PoolRemainder::More));
        // It does not fit the block either: smaller ones do not get ahead of it.
        let block = Room { gas: 700, ..BLOCK };
        let (some, rest) = pop_slice(&mut pool, BASE_FEE, block, SLICE);
        assert_eq!((arrivals(some), rest), (vec![], PoolRemainder::TooLarge));
    }

    #[test]
    fn rewound_transactions_keep_their_order_before_all_others() {
        let rewound = |sender, nonce, at: u64| {
            let new = tx(sender, nonce, 0, 0);
            PooledTx { arrival: ARRIVAL_FIRST - 10 + at, ..new }
        };
        // Sender 1 had more than its share of the rewound slice.
        let promised = (0..5).map(|nonce| rewound(1, nonce, nonce));
        let promised = promised.chain([rewound(2, 0, 5), rewound(1, 5, 6)]);
        let mut pool = pool_of(promised.chain((3..9).map(|at| tx(at, 0, at.into(), 1_000))));
        let (some, rest) = pop_slice(&mut pool, BASE_FEE, BLOCK, SLICE);
        let found: Vec<_> = some.iter().map(|tx| tx.arrival.wrapping_sub(ARRIVAL_FIRST)).collect();
        let expected = (0..7).map(|at: u64| at.wrapping_sub(10)).chain([3]);
        assert_eq!((found, rest), (expected.collect(), PoolRemainder::More));
    }
}
