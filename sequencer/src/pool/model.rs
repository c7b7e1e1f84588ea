//! Property test: the pool against a model, under random operations.
//!
//! The model is a list that is scanned in full for every query.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256};
use proptest::{collection::vec, prelude::*};

use super::{ARRIVAL_FIRST, Pool, PoolLimits, PooledTx, TxTotals, tests::with_gas};
use crate::{
    Refusal,
    slice::{PoolRemainder, Room, SENDER_SHARES, pop_slice},
};

const SENDERS: u8 = 5;
const FEES: u128 = 24;
const TIMEOUT_SECONDS: u64 = 10;

/// Where an added transaction comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Origin {
    Client,
    /// The journal, after a restart.
    Journal,
    /// A block that a reorg took back.
    Rewound,
}

#[derive(Clone, Debug)]
enum Operation {
    Add {
        sender: u8,
        ahead: u64,
        fee: u128,
        /// Below the fee cap.
        tip: u128,
        gas: u64,
        bytes: usize,
        origin: Origin,
    },
    Pop {
        base_fee: u64,
    },
    Slice {
        base_fee: u64,
        block: Room,
        slice: Room,
    },
    PutBack,
    /// The popped transactions ran or were skipped: the account's nonce grows by this much.
    SetNonce {
        sender: u8,
        by: i64,
    },
    BaseFee(u64),
    Expire {
        seconds: u64,
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    let sender = 1..=SENDERS;
    let origin = prop_oneof![
        18 => Just(Origin::Client),
        1 => Just(Origin::Journal),
        1 => Just(Origin::Rewound),
    ];
    let add = (sender.clone(), 0..7u64, (1..FEES, 0..FEES), 1..20u64, 1..40usize, origin).prop_map(
        |(sender, ahead, (fee, tip), gas, bytes, origin)| {
            let tip = tip.min(fee);
            Operation::Add { sender, ahead, fee, tip, gas, bytes, origin }
        },
    );
    let room = (0..8u64, 0..200usize, 0..60u64).prop_map(|(transactions, bytes, gas)| Room {
        transactions,
        bytes,
        gas,
    });
    let slice = (0..FEES as u64, room.clone(), room)
        .prop_map(|(base_fee, block, slice)| Operation::Slice { base_fee, block, slice });
    prop_oneof![
        12 => add,
        4 => (0..FEES as u64).prop_map(|base_fee| Operation::Pop { base_fee }),
        4 => slice,
        2 => Just(Operation::PutBack),
        2 => (sender, -2..4i64).prop_map(|(sender, by)| Operation::SetNonce { sender, by }),
        2 => (0..FEES as u64).prop_map(Operation::BaseFee),
        2 => (0..TIMEOUT_SECONDS).prop_map(|seconds| Operation::Expire { seconds }),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Sender {
    /// The account's nonce.
    account: u64,
    /// The next nonce to pop.
    next: u64,
    /// The missing nonce that later ones wait for, and since when.
    gap: Option<(u64, Instant)>,
}

/// The pool as a list.
#[derive(Clone)]
struct Model {
    limits: PoolLimits,
    txs: Vec<PooledTx>,
    senders: BTreeMap<Address, Sender>,
    base_fee: u64,
    now: Instant,
}

impl Model {
    fn nonces(&self, sender: Address) -> Vec<u64> {
        let own = self.txs.iter().filter(|tx| tx.sender == sender);
        let mut nonces: Vec<_> = own.map(|tx| tx.tx.nonce()).collect();
        nonces.sort_unstable();
        nonces
    }

    fn end(&self, sender: Address) -> u64 {
        let nonces = self.nonces(sender);
        let mut end = self.senders[&sender].next;
        while nonces.contains(&end) {
            end += 1;
        }
        end
    }

    fn at(&self, sender: Address, nonce: u64) -> Option<usize> {
        self.txs.iter().position(|tx| tx.sender == sender && tx.tx.nonce() == nonce)
    }

    fn head(&self, sender: Address) -> Option<&PooledTx> {
        self.at(sender, self.senders[&sender].next).map(|at| &self.txs[at])
    }

    fn pays(&self, tx: &PooledTx) -> bool {
        tx.fee_cap() >= u128::from(self.base_fee)
    }

    /// A sender whose missing nonce changed waits from now on.
    fn note_gaps(&mut self) {
        for sender in self.senders.clone().into_keys() {
            let end = self.end(sender);
            let waits = self.nonces(sender).last().is_some_and(|last| *last > end);
            let now = self.now;
            let gap = &mut self.senders.get_mut(&sender).expect("listed").gap;
            *gap = match *gap {
                _ if !waits => None,
                Some((missing, since)) if missing == end => Some((missing, since)),
                _ => Some((end, now)),
            };
        }
    }

    /// What a transaction pays per gas above the base fee.
    fn tip(&self, tx: &PooledTx) -> u128 {
        tx.tip_cap().min(tx.fee_cap().saturating_sub(self.base_fee.into()))
    }

    /// What a sender's next transaction bids.
    fn bid(&self, head: &PooledTx) -> u128 {
        if head.arrival < ARRIVAL_FIRST { u128::MAX } else { self.tip(head) }
    }

    /// The transaction that must give way to a newcomer of `spared` that bids `bid`.
    fn victim(&self, spared: Address, bid: u128) -> Option<usize> {
        let others = || self.senders.keys().copied().filter(move |other| *other != spared);
        let oldest = others()
            .filter_map(|other| self.senders[&other].gap.map(|(_, since)| (since, other)))
            .min();
        let poorest = || {
            let poor = others().filter_map(|other| {
                let head = self.head(other).filter(|head| !self.pays(head))?;
                Some((head.fee_cap(), u64::MAX - head.arrival, other))
            });
            poor.min().map(|(_, _, other)| other)
        };
        let lowest = || {
            let bids = others().filter_map(|other| {
                let head = self.head(other)?;
                Some((self.bid(head), u64::MAX - head.arrival, other))
            });
            let (old, _, other) = bids.min()?;
            (bid > old && 100 * bid >= 110 * old).then_some(other)
        };
        let sender = oldest.map(|(_, other)| other).or_else(poorest).or_else(lowest)?;
        self.at(sender, *self.nonces(sender).last()?)
    }

    fn is_over(&self) -> bool {
        let bytes: usize = self.txs.iter().map(|tx| tx.raw.len()).sum();
        self.txs.len() > self.limits.transactions_max || bytes > self.limits.bytes_max
    }

    fn add(&mut self, tx: PooledTx, restore: bool) -> Result<(Vec<u64>, Vec<u64>), Refusal> {
        let (sender, nonce) = (tx.sender, tx.tx.nonce());
        let Sender { account, next, .. } = self.senders[&sender];
        let limits = if restore { self.limits.unbounded() } else { self.limits };
        if self.txs.iter().any(|old| old.tx.hash() == tx.tx.hash()) {
            return Err(Refusal::AlreadyKnown);
        }
        if nonce < next {
            return Err(Refusal::NonceTooLow { next, nonce });
        }
        let limit = limits.nonce_gap_max;
        if nonce - account > limit {
            return Err(Refusal::NonceTooHigh { next: account, nonce, limit });
        }
        let old = self.at(sender, nonce);
        if let Some(at) = old {
            let old = &self.txs[at];
            let is_less = |new: u128, old: u128| 100 * new < 110 * old;
            if is_less(tx.fee_cap(), old.fee_cap()) || is_less(tx.tip_cap(), old.tip_cap()) {
                return Err(Refusal::Underpriced);
            }
        } else if self.nonces(sender).len() >= limits.sender_transactions_max {
            return Err(Refusal::SenderFull { limit: limits.sender_transactions_max });
        }
        let kept = self.txs.iter().filter(|kept| kept.sender == sender && kept.tx.nonce() != nonce);
        let bytes = kept.map(|kept| kept.raw.len()).sum::<usize>() + tx.raw.len();
        if bytes > limits.sender_bytes_max {
            return Err(Refusal::SenderBytesFull { limit: limits.sender_bytes_max });
        }
        let before = self.clone();
        let replaced: Vec<_> = old.map(|at| self.txs.remove(at).arrival).into_iter().collect();
        let own = self.tip(&tx);
        self.txs.push(tx);
        let end = self.end(sender);
        let can_run = nonce < end && self.head(sender).is_some_and(|head| self.pays(head));
        let bid = self.head(sender).map_or(0, |head| self.bid(head)).min(own);
        let mut evicted = Vec::new();
        while !restore && self.is_over() {
            let Some(at) = self.victim(sender, bid).filter(|_| can_run) else {
                *self = before;
                return Err(Refusal::PoolFull);
            };
            evicted.push(self.txs.remove(at).arrival);
            self.note_gaps();
        }
        Ok((replaced, evicted))
    }

    fn pop(&mut self) -> Option<PooledTx> {
        let heads = self.senders.keys().filter_map(|sender| self.head(*sender));
        let first = heads.filter(|head| self.pays(head)).min_by_key(|head| head.arrival)?;
        Some(self.take_head(first.sender))
    }

    fn take_head(&mut self, sender: Address) -> PooledTx {
        let own = self.senders.get_mut(&sender).expect("listed");
        own.next += 1;
        let nonce = own.next - 1;
        let at = self.at(sender, nonce).expect("it has a next transaction");
        self.txs.remove(at)
    }

    /// Totals of the queues of senders that can run.
    fn runnable_totals(&self) -> TxTotals {
        let mut totals = TxTotals::default();
        for (sender, own) in &self.senders {
            if self.head(*sender).is_some_and(|head| self.pays(head)) {
                let in_turn = own.next..self.end(*sender);
                let queue = self.txs.iter().filter(|tx| tx.sender == *sender);
                for tx in queue.filter(|tx| in_turn.contains(&tx.tx.nonce())) {
                    totals += TxTotals::of(tx);
                }
            }
        }
        totals
    }

    /// Pops what runs next in a slice.
    fn slice(&mut self, block: Room, slice: Room) -> (Vec<PooledTx>, PoolRemainder) {
        let fits = |totals: TxTotals, room: Room| {
            totals.transactions as u64 <= room.transactions
                && totals.bytes + 4 * totals.transactions <= room.bytes
                && totals.gas <= room.gas.into()
        };
        let all = self.runnable_totals();
        if fits(all, block) && fits(all, slice) {
            return (std::iter::from_fn(|| self.pop()).collect(), PoolRemainder::Empty);
        }
        let can_run = |model: &Self, sender: &Address| {
            model.head(*sender).is_some_and(|head| model.pays(head))
        };
        let is_sole = self.senders.keys().filter(|sender| can_run(self, sender)).count() == 1;
        let (mut some, mut taken) = (Vec::<PooledTx>::new(), TxTotals::default());
        let mut aside = Vec::new();
        let rest = loop {
            let heads = self.senders.keys().filter(|sender| !aside.contains(*sender));
            let heads = heads.filter_map(|sender| self.head(*sender).filter(|tx| self.pays(tx)));
            let Some(best) = heads.max_by_key(|tx| (self.bid(tx), u64::MAX - tx.arrival)) else {
                break if aside.is_empty() { PoolRemainder::Empty } else { PoolRemainder::More };
            };
            let sender = best.sender;
            let (mut with, mut own, mut is_first) = (taken, TxTotals::of(best), true);
            with += own;
            for tx in some.iter().filter(|tx| tx.sender == sender) {
                own += TxTotals::of(tx);
                is_first = false;
            }
            let share = Room {
                transactions: slice.transactions / SENDER_SHARES,
                bytes: usize::MAX,
                gas: slice.gas / SENDER_SHARES,
            };
            let is_free = is_sole || is_first || best.arrival < ARRIVAL_FIRST;
            if !is_free && !fits(own, share) {
                aside.push(sender);
            } else if !fits(with, block) {
                let is_all = some.is_empty();
                break if is_all { PoolRemainder::TooLarge } else { PoolRemainder::More };
            } else if !some.is_empty() && !fits(with, slice) {
                break PoolRemainder::More;
            } else {
                taken = with;
                some.push(self.take_head(sender));
            }
        };
        (some, rest)
    }

    fn set_nonce(&mut self, sender: Address, nonce: u64) -> Vec<u64> {
        let own = self.senders.get_mut(&sender).expect("listed");
        (own.account, own.next) = (nonce, nonce);
        self.take(|tx| tx.sender == sender && tx.tx.nonce() < nonce)
    }

    fn expire(&mut self) -> Vec<u64> {
        let mut late = BTreeMap::new();
        for (&sender, own) in &self.senders {
            if let Some((missing, since)) = own.gap
                && self.now - since >= self.limits.gap_timeout
            {
                late.insert(sender, missing);
            }
        }
        self.take(|tx| late.get(&tx.sender).is_some_and(|missing| tx.tx.nonce() > *missing))
    }

    fn take(&mut self, is_gone: impl Fn(&PooledTx) -> bool) -> Vec<u64> {
        let (gone, left) = self.txs.drain(..).partition(is_gone);
        self.txs = left;
        sorted(gone)
    }
}

fn sorted(txs: Vec<PooledTx>) -> Vec<u64> {
    let mut arrivals: Vec<_> = txs.iter().map(|tx| tx.arrival).collect();
    arrivals.sort_unstable();
    arrivals
}

/// Both pools, and the transactions popped from them that have not run.
struct Pair {
    pool: Pool,
    model: Model,
    taken: Vec<PooledTx>,
    arrivals: u64,
}

impl Pair {
    fn new() -> Self {
        let limits = PoolLimits {
            transactions_max: 10,
            bytes_max: 150,
            sender_transactions_max: 5,
            sender_bytes_max: 60,
            nonce_gap_max: 5,
            gap_timeout: Duration::from_secs(TIMEOUT_SECONDS),
        };
        let fresh = Sender { account: 0, next: 0, gap: None };
        let senders = (1..=SENDERS).map(|number| (Address::repeat_byte(number), fresh));
        let model = Model {
            limits,
            txs: Vec::new(),
            senders: senders.collect(),
            base_fee: 0,
            now: Instant::now(),
        };
        Self { pool: Pool::new(limits), model, taken: Vec::new(), arrivals: 0 }
    }

    fn run(&mut self, operation: Operation) -> Result<(), TestCaseError> {
        let Self { pool, model, taken, arrivals } = self;
        match operation {
            Operation::Add { sender, ahead, fee, tip, gas, bytes, origin } => {
                let account = model.senders[&Address::repeat_byte(sender)].account;
                let nonce = account + ahead;
                let mut new = with_gas(sender, nonce, *arrivals, (fee, tip), gas);
                let restore = origin != Origin::Client;
                if origin == Origin::Rewound {
                    new.arrival -= ARRIVAL_FIRST;
                }
                new.raw = vec![0; bytes].into();
                *arrivals += 1;
                let expected = model.add(new.clone(), restore);
                let added = if restore {
                    let restored = pool.restore(new, account, model.now);
                    restored.map(|replaced| (sorted(Vec::from_iter(replaced)), Vec::new()))
                } else {
                    pool.add(new, account, model.now).map(|added| {
                        let evicted = added.evicted.iter().map(|tx| tx.arrival).collect();
                        (sorted(Vec::from_iter(added.replaced)), evicted)
                    })
                };
                prop_assert_eq!(added, expected);
            }
            Operation::Pop { base_fee } => {
                model.base_fee = base_fee;
                let (popped, expected) = (pool.pop_ready(base_fee), model.pop());
                let arrival = |tx: &Option<PooledTx>| tx.as_ref().map(|tx| tx.arrival);
                prop_assert_eq!(arrival(&popped), arrival(&expected));
                taken.extend(popped);
            }
            Operation::Slice { base_fee, block, slice } => {
                model.base_fee = base_fee;
                let (popped, rest) = pop_slice(pool, base_fee, block, slice);
                let (expected, expected_rest) = model.slice(block, slice);
                let arrivals = |txs: &[PooledTx]| Vec::from_iter(txs.iter().map(|tx| tx.arrival));
                prop_assert_eq!(arrivals(&popped), arrivals(&expected));
                prop_assert_eq!(rest, expected_rest);
                taken.extend(popped);
            }
            Operation::PutBack => {
                for tx in taken.drain(..).rev() {
                    let own = model.senders.get_mut(&tx.sender).expect("listed");
                    own.next = own.next.min(tx.tx.nonce());
                    model.txs.push(tx.clone());
                    pool.put_back(tx);
                }
            }
            Operation::SetNonce { sender, by } => {
                let sender = Address::repeat_byte(sender);
                taken.retain(|tx| tx.sender != sender);
                let nonce = model.senders[&sender].next.saturating_add_signed(by);
                let stale = sorted(pool.set_nonce(sender, nonce));
                prop_assert_eq!(stale, model.set_nonce(sender, nonce));
            }
            Operation::BaseFee(base_fee) => {
                model.base_fee = base_fee;
                pool.set_base_fee(base_fee);
            }
            Operation::Expire { seconds } => {
                model.now += Duration::from_secs(seconds);
                let expired = sorted(pool.expire(model.now));
                prop_assert_eq!(expired, model.expire());
            }
        }
        model.note_gaps();
        self.compare()
    }

    /// Compares the results of every query.
    fn compare(&self) -> Result<(), TestCaseError> {
        let Self { pool, model, .. } = self;
        let hashes: Vec<B256> = model.txs.iter().map(|tx| tx.tx.hash()).collect();
        prop_assert_eq!(pool.len(), hashes.len());
        prop_assert!(hashes.iter().all(|hash| pool.get(hash).is_some()));
        let bytes: usize = model.txs.iter().map(|tx| tx.raw.len()).sum();
        prop_assert_eq!(pool.bytes(), bytes);
        let heads: Vec<_> = model.senders.keys().filter_map(|sender| model.head(*sender)).collect();
        prop_assert_eq!(pool.has_ready(), !heads.is_empty());
        prop_assert_eq!(pool.has_runnable(), heads.iter().any(|head| model.pays(head)));
        prop_assert_eq!(pool.runnable_totals(), model.runnable_totals());
        prop_assert_eq!(pool.runnable_senders(), heads.iter().filter(|tx| model.pays(tx)).count());
        let in_turn = |sender: &Address| model.end(*sender) - model.senders[sender].next;
        prop_assert_eq!(pool.ready_len() as u64, model.senders.keys().map(in_turn).sum::<u64>());
        for (sender, own) in &model.senders {
            let is_idle = model.nonces(*sender).is_empty() && own.next == own.account;
            let next = pool.next_nonce(sender).unwrap_or(own.account);
            prop_assert_eq!(next, model.end(*sender));
            if is_idle {
                prop_assert!(
                    !pool.senders().contains(sender),
                    "a sender without transactions is listed"
                );
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn pool_behaves_like_the_model(operations in vec(operation(), 1..60)) {
        let mut pair = Pair::new();
        for operation in operations {
            pair.run(operation)?;
        }
    }
}
