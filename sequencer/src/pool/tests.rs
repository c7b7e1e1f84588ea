//! The pool's order, limits and evictions.

use std::time::{Duration, Instant};

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256};
use turnpike_protocol::SignedTx;

use super::{ARRIVAL_FIRST, Added, Pool, PoolLimits, PooledTx};
use crate::Refusal;

/// A transaction of the sender with this number, with equal fee cap and tip, and without gas.
/// `arrival` counts from the chain's first one.
pub(super) fn tx(sender: u8, nonce: u64, arrival: u64, fee: u128) -> PooledTx {
    with_tip(sender, nonce, arrival, fee, fee)
}

fn with_tip(sender: u8, nonce: u64, arrival: u64, fee: u128, tip: u128) -> PooledTx {
    with_gas(sender, nonce, arrival, (fee, tip), 0)
}

/// A transaction with these caps of fee and tip, and this gas limit.
pub(crate) fn with_gas(
    sender: u8,
    nonce: u64,
    arrival: u64,
    (fee, tip): (u128, u128),
    gas_limit: u64,
) -> PooledTx {
    let sender = Address::repeat_byte(sender);
    let envelope = TxEip1559 {
        chain_id: 1,
        nonce,
        gas_limit,
        max_fee_per_gas: fee,
        max_priority_fee_per_gas: tip,
        to: TxKind::Call(sender),
        ..Default::default()
    }
    .into_signed(Signature::new(U256::from(1), U256::from(1), false));
    let tx = SignedTx::new_unchecked(envelope.into(), sender);
    let (raw, arrival) = (Bytes::from_static(&[0; 10]), ARRIVAL_FIRST + arrival);
    PooledTx { tx, raw, sender, arrival, received_ms: 0 }
}

fn limits() -> PoolLimits {
    PoolLimits {
        transactions_max: 6,
        bytes_max: 1_000,
        sender_transactions_max: 4,
        sender_bytes_max: 1_000,
        nonce_gap_max: 8,
        gap_timeout: Duration::from_secs(60),
    }
}

fn pool() -> Pool {
    Pool::new(limits())
}

fn add(pool: &mut Pool, tx: PooledTx) -> Result<Added, Refusal> {
    pool.add(tx, 0, Instant::now())
}

fn drain(pool: &mut Pool, base_fee: u64) -> Vec<u64> {
    arrivals(std::iter::from_fn(|| pool.pop_ready(base_fee)))
}

/// Arrivals, counted from the chain's first one.
pub(crate) fn arrivals(txs: impl IntoIterator<Item = PooledTx>) -> Vec<u64> {
    txs.into_iter().map(|tx| tx.arrival - ARRIVAL_FIRST).collect()
}

#[test]
fn transactions_are_ordered_by_arrival_then_nonce() {
    let mut pool = pool();
    // Sender 1's second transaction arrives first and waits for the one before it.
    for tx in [tx(1, 1, 0, 9), tx(2, 0, 1, 9), tx(1, 0, 2, 9), tx(2, 1, 3, 9)] {
        add(&mut pool, tx).expect("fits");
    }
    assert_eq!(pool.next_nonce(&Address::repeat_byte(1)), Some(2));
    assert_eq!(drain(&mut pool, 0), [1, 2, 0, 3]);
    assert!(pool.is_empty());
}

#[test]
fn nonce_gaps_and_low_fees_delay_transactions() {
    let mut pool = pool();
    add(&mut pool, tx(1, 1, 0, 9)).expect("fits");
    add(&mut pool, tx(2, 0, 1, 3)).expect("fits");
    add(&mut pool, tx(3, 0, 2, 9)).expect("fits");
    assert_eq!(drain(&mut pool, 5), [2]);
    assert!(pool.has_ready() && !pool.has_runnable());
    pool.set_base_fee(3);
    assert!(pool.has_runnable());
    assert_eq!(drain(&mut pool, 0), [1]);
    assert!(!pool.has_ready());
    assert_eq!(pool.len(), 1);
    pool.set_nonce(Address::repeat_byte(1), 1);
    assert_eq!(drain(&mut pool, 0), [0]);
}

#[test]
fn replacement_needs_ten_percent_more_fee_and_tip() {
    let mut pool = pool();
    add(&mut pool, with_tip(1, 0, 0, 100, 50)).expect("fits");
    assert_eq!(add(&mut pool, with_tip(1, 0, 1, 100, 50)).map(drop), Err(Refusal::AlreadyKnown));
    for (fee, tip) in [(109, 55), (110, 54), (200, 50), (100, 100)] {
        let added = add(&mut pool, with_tip(1, 0, 1, fee, tip));
        assert_eq!(added.map(drop), Err(Refusal::Underpriced), "{fee} {tip}");
    }
    let added = add(&mut pool, with_tip(1, 0, 2, 110, 55)).expect("outbids");
    assert_eq!(arrivals(added.replaced), [0]);
    assert_eq!(drain(&mut pool, 0), [2]);
}

#[test]
fn refusals_name_the_limit() {
    let mut pool = pool();
    let early = pool.add(tx(1, 3, 0, 1), 4, Instant::now());
    assert!(matches!(early, Err(Refusal::NonceTooLow { next: 4, nonce: 3 })));
    assert!(matches!(add(&mut pool, tx(1, 9, 0, 1)), Err(Refusal::NonceTooHigh { limit: 8, .. })));
    for nonce in 0..4 {
        add(&mut pool, tx(1, nonce, nonce, 1)).expect("fits");
    }
    assert!(matches!(add(&mut pool, tx(1, 4, 4, 1)), Err(Refusal::SenderFull { limit: 4 })));
    add(&mut pool, tx(2, 0, 5, 1)).expect("fits");
    add(&mut pool, tx(3, 0, 6, 1)).expect("fits");
    assert_eq!(add(&mut pool, tx(4, 0, 7, 1)).map(drop), Err(Refusal::PoolFull));
    // A replacement takes no more room.
    add(&mut pool, tx(2, 0, 7, 2)).expect("replaces");
}

#[test]
fn full_pool_evicts_gaps_then_low_fees() {
    let mut pool = pool();
    pool.set_base_fee(5);
    let start = Instant::now();
    let offer = |pool: &mut Pool, tx: PooledTx| {
        let at = start + Duration::from_secs(tx.arrival - ARRIVAL_FIRST);
        pool.add(tx, 0, at).map(|added| arrivals(added.evicted))
    };
    let waiting = [tx(1, 0, 0, 4), tx(1, 1, 1, 9), tx(2, 1, 2, 9), tx(2, 2, 3, 9)];
    for tx in waiting.into_iter().chain([tx(3, 1, 4, 9), tx(4, 0, 5, 3)]) {
        assert_eq!(offer(&mut pool, tx), Ok(vec![]));
    }
    // A transaction that cannot run evicts none.
    assert_eq!(offer(&mut pool, tx(5, 1, 6, 9)), Err(Refusal::PoolFull));
    assert_eq!(offer(&mut pool, tx(5, 0, 6, 4)), Err(Refusal::PoolFull));
    // Sender 2 waits longest with a gap, so its last transaction is evicted first. Then the lowest
    // fee, then sender 1's, the last first.
    let evicted = (6..12).map(|at| offer(&mut pool, tx(at, 0, at.into(), 9)).expect("fits"));
    assert_eq!(evicted.flatten().collect::<Vec<_>>(), [3, 2, 4, 5, 1, 0]);
    // What can run stays unless the newcomer pays more.
    assert_eq!(offer(&mut pool, tx(20, 0, 20, 9)), Err(Refusal::PoolFull));
    assert_eq!(drain(&mut pool, 5), [6, 7, 8, 9, 10, 11]);
}

#[test]
fn full_pool_evicts_the_lowest_effective_tip() {
    let mut pool = pool();
    pool.set_base_fee(100);
    let waiting = [
        // Its fee cap leaves it a tip of 10.
        with_tip(1, 0, 0, 110, 50),
        with_tip(2, 0, 1, 900, 20),
        with_tip(2, 1, 2, 900, 800),
        with_tip(3, 0, 3, 900, 20),
        // A cheap transaction behind one that pays well waits until that one has run.
        with_tip(4, 0, 4, 900, 30),
        with_tip(4, 1, 5, 900, 0),
    ];
    waiting.into_iter().for_each(|tx| drop(add(&mut pool, tx).expect("fits")));
    let mut offer = |sender, fee, tip| {
        let newcomer = with_tip(sender, 0, 6 + u64::from(sender), fee, tip);
        add(&mut pool, newcomer).map(|added| arrivals(added.evicted))
    };
    // It must pay a tenth more than sender 1, after the base fee.
    assert_eq!(offer(5, 110, 50), Err(Refusal::PoolFull));
    assert_eq!(offer(5, 900, 10), Err(Refusal::PoolFull));
    assert_eq!(offer(5, 111, 111), Ok(vec![0]));
    // Now it is the cheapest itself. Of equal ones the last arrival goes, of a sender the last
    // nonce.
    assert_eq!(offer(6, 900, 13), Ok(vec![11]));
    assert_eq!(offer(7, 900, 22), Ok(vec![12]));
    assert_eq!(offer(8, 900, 22), Ok(vec![3]));
    assert_eq!(offer(9, 900, 22), Ok(vec![2]));
    assert_eq!(offer(10, 900, 22), Ok(vec![1]));
    assert_eq!(offer(11, 900, 24), Err(Refusal::PoolFull));
    assert_eq!(offer(11, 900, 25), Ok(vec![16]));
}

#[test]
fn eviction_follows_the_base_fee() {
    let mut pool = Pool::new(PoolLimits { transactions_max: 2, ..limits() });
    add(&mut pool, with_tip(1, 0, 0, 120, 120)).expect("fits");
    add(&mut pool, with_tip(2, 0, 1, 900, 50)).expect("fits");
    let mut offer = |base_fee, sender, tip| {
        pool.set_base_fee(base_fee);
        let newcomer = with_tip(sender, 0, 2, 900, tip);
        add(&mut pool, newcomer).map(|added| arrivals(added.evicted))
    };
    assert_eq!(offer(0, 3, 54), Err(Refusal::PoolFull));
    // At this base fee, sender 1 tips 20.
    assert_eq!(offer(100, 3, 54), Ok(vec![0]));
}

#[test]
fn newcomer_behind_its_senders_cheap_head_evicts_none() {
    let mut pool = Pool::new(PoolLimits { transactions_max: 2, ..limits() });
    add(&mut pool, with_tip(1, 0, 0, 900, 10)).expect("fits");
    add(&mut pool, with_tip(2, 0, 1, 900, 20)).expect("fits");
    assert_eq!(add(&mut pool, with_tip(1, 1, 2, 900, 800)).map(drop), Err(Refusal::PoolFull));
    let added = add(&mut pool, with_tip(2, 1, 3, 900, 11)).expect("pays more than sender 1");
    assert_eq!(arrivals(added.evicted), [0]);
}

#[test]
fn rewound_transactions_are_never_evicted() {
    let mut pool = Pool::new(PoolLimits { transactions_max: 1, ..limits() });
    let rewound = PooledTx { arrival: ARRIVAL_FIRST - 1, ..with_tip(1, 0, 0, 900, 0) };
    pool.restore(rewound, 0, Instant::now()).expect("restores");
    assert_eq!(add(&mut pool, tx(2, 0, 1, 900)).map(drop), Err(Refusal::PoolFull));
}

#[test]
fn tips_outbid_even_zero_only_by_paying() {
    let mut pool = Pool::new(PoolLimits { transactions_max: 1, ..limits() });
    add(&mut pool, with_tip(1, 0, 0, 900, 0)).expect("fits");
    assert_eq!(add(&mut pool, with_tip(2, 0, 1, 900, 0)).map(drop), Err(Refusal::PoolFull));
    add(&mut pool, with_tip(2, 0, 2, 900, 1)).expect("one wei is more than nothing");
}

#[test]
fn newcomer_never_evicts_same_sender() {
    let mut pool = Pool::new(PoolLimits { transactions_max: 2, ..limits() });
    add(&mut pool, tx(1, 1, 0, 9)).expect("fits");
    add(&mut pool, tx(1, 2, 1, 9)).expect("fits");
    assert_eq!(add(&mut pool, tx(1, 0, 2, 9)).map(drop), Err(Refusal::PoolFull));
}

#[test]
fn pool_bytes_are_bounded_without_useless_evictions() {
    let mut pool = Pool::new(PoolLimits { bytes_max: 40, ..limits() });
    for at in 1..5 {
        add(&mut pool, tx(at, 1, at.into(), 9)).expect("fits");
    }
    assert_eq!(pool.bytes(), 40);
    let long = |bytes| PooledTx { raw: vec![0; bytes].into(), ..tx(9, 0, 9, 9) };
    assert_eq!(add(&mut pool, long(41)).map(drop), Err(Refusal::PoolFull));
    assert_eq!((pool.len(), pool.bytes()), (4, 40));
    let added = add(&mut pool, long(25)).expect("three make room");
    assert_eq!(arrivals(added.evicted), [1, 2, 3]);
    assert_eq!((pool.len(), pool.bytes()), (2, 35));
}

#[test]
fn sender_bytes_are_bounded() {
    let mut pool = Pool::new(PoolLimits { sender_bytes_max: 40, ..limits() });
    let long = |nonce, arrival, fee, bytes| PooledTx {
        raw: vec![0; bytes].into(),
        ..tx(1, nonce, arrival, fee)
    };
    // Behind a gap and in turn, all count.
    add(&mut pool, long(3, 0, 9, 15)).expect("fits");
    add(&mut pool, long(0, 1, 9, 15)).expect("fits");
    let full = Err(Refusal::SenderBytesFull { limit: 40 });
    assert_eq!(add(&mut pool, long(4, 2, 9, 11)).map(drop), full);
    add(&mut pool, long(4, 2, 9, 10)).expect("fits");
    add(&mut pool, tx(2, 0, 3, 9)).expect("another sender has room of its own");
    // A replacement takes the room of the one before.
    assert_eq!(add(&mut pool, long(3, 4, 99, 16)).map(drop), full);
    add(&mut pool, long(3, 4, 99, 5)).expect("fits");
    add(&mut pool, long(5, 5, 9, 10)).expect("fits");
    // Nothing that has left the pool counts.
    assert_eq!(drain(&mut pool, 0), [1, 3]);
    add(&mut pool, long(6, 6, 9, 15)).expect("fits");
    assert_eq!(pool.expire(Instant::now() + limits().gap_timeout).len(), 4);
    add(&mut pool, long(1, 7, 9, 40)).expect("fits");
    assert_eq!(pool.set_nonce(Address::repeat_byte(1), 2).len(), 1);
    add(&mut pool, long(2, 8, 9, 40)).expect("fits");
}

#[test]
fn nonce_gaps_time_out() {
    let mut pool = pool();
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    for tx in [tx(1, 0, 0, 9), tx(1, 2, 1, 9), tx(2, 1, 2, 9), tx(2, 3, 3, 9)] {
        pool.add(tx, 0, start).expect("fits");
    }
    // The nonce arrives that two transactions waited for: the wait for the next missing nonce
    // starts anew.
    pool.add(tx(2, 0, 4, 9), 0, at(30)).expect("fits");
    assert_eq!(arrivals(pool.expire(at(59))), [0; 0]);
    assert_eq!(arrivals(pool.expire(at(60))), [1]);
    assert_eq!(arrivals(pool.expire(at(89))), [0; 0]);
    assert_eq!(arrivals(pool.expire(at(90))), [3]);
    assert_eq!(drain(&mut pool, 0), [0, 4, 2]);
}

#[test]
fn put_back_restores_the_order() {
    let mut pool = pool();
    for tx in [tx(1, 0, 0, 9), tx(1, 1, 1, 9), tx(2, 0, 2, 9)] {
        add(&mut pool, tx).expect("fits");
    }
    let first = pool.pop_ready(0).expect("ready");
    let second = pool.pop_ready(0).expect("ready");
    pool.put_back(first);
    pool.put_back(second);
    assert_eq!(drain(&mut pool, 0), [0, 1, 2]);
}

#[test]
fn popped_nonce_is_refused() {
    let mut pool = pool();
    add(&mut pool, tx(1, 0, 0, 9)).expect("fits");
    pool.pop_ready(0).expect("ready");
    let again = add(&mut pool, tx(1, 0, 1, 99)).map(drop);
    assert_eq!(again, Err(Refusal::NonceTooLow { next: 1, nonce: 0 }));
}

#[test]
fn set_nonce_returns_stale_transactions() {
    let mut pool = pool();
    for nonce in 0..3 {
        add(&mut pool, tx(1, nonce, nonce, 9)).expect("fits");
    }
    let stale = pool.set_nonce(Address::repeat_byte(1), 2);
    assert_eq!(arrivals(stale), [0, 1]);
    assert_eq!(drain(&mut pool, 0), [2]);
    pool.set_nonce(Address::repeat_byte(1), 3);
    assert!(pool.senders().is_empty());
}
