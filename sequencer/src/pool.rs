use std::collections::{BTreeMap, HashMap};

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, Bytes};
use turnpike_protocol::SignedTx;

use crate::Refusal;

/// How much more, in percent, a transaction must pay to take another's place.
const REPLACEMENT_BUMP_PERCENT: u128 = 10;

/// Bounds of the pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// Transactions in all.
    pub transactions_max: usize,
    /// Transactions of one sender.
    pub sender_transactions_max: usize,
    /// How far a nonce may be ahead of the account's.
    pub nonce_gap_max: u64,
}

impl PoolLimits {
    /// No bounds.
    const NONE: Self = Self {
        transactions_max: usize::MAX,
        sender_transactions_max: usize::MAX,
        nonce_gap_max: u64::MAX,
    };
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self { transactions_max: 100_000, sender_transactions_max: 1_024, nonce_gap_max: 1_024 }
    }
}

/// A transaction that waits for its block.
#[derive(Clone, Debug)]
pub struct PooledTx {
    /// The transaction.
    pub tx: SignedTx,
    /// Its EIP-2718 bytes.
    pub raw: Bytes,
    /// Who signed it.
    pub sender: Address,
    /// Its place in the order of arrival.
    pub arrival: u64,
}

/// Transactions that wait for their block: first come, first served, in nonce order for each sender.
#[derive(Debug)]
pub struct Pool {
    limits: PoolLimits,
    senders: HashMap<Address, Queue>,
    by_hash: HashMap<B256, (Address, u64)>,
    /// Senders whose next transaction is here, by its arrival.
    ready: BTreeMap<u64, Address>,
}

#[derive(Debug)]
struct Queue {
    /// Nonce that the sender's next transaction must have.
    next: u64,
    by_nonce: BTreeMap<u64, PooledTx>,
}

impl Pool {
    /// An empty pool.
    pub fn new(limits: PoolLimits) -> Self {
        Self { limits, senders: HashMap::new(), by_hash: HashMap::new(), ready: BTreeMap::new() }
    }

    /// Transactions in the pool.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// A transaction by its hash.
    pub fn get(&self, hash: &B256) -> Option<&PooledTx> {
        let (sender, nonce) = self.by_hash.get(hash)?;
        self.senders.get(sender)?.by_nonce.get(nonce)
    }

    /// The nonce after the sender's last transaction that has no gap before it; `None` if none is here.
    pub fn next_nonce(&self, sender: &Address) -> Option<u64> {
        let queue = self.senders.get(sender)?;
        let mut next = queue.next;
        while queue.by_nonce.contains_key(&next) {
            next += 1;
        }
        Some(next)
    }

    /// Whether `transaction` could be added now, the account's nonce being `account_nonce`.
    fn check(&self, tx: &PooledTx, account_nonce: u64) -> Result<(), Refusal> {
        let nonce = tx.tx.nonce();
        if self.by_hash.contains_key(&tx.tx.hash()) {
            return Err(Refusal::AlreadyKnown);
        }
        if nonce < account_nonce {
            return Err(Refusal::NonceTooLow { next: account_nonce, nonce });
        }
        let limit = self.limits.nonce_gap_max;
        if nonce - account_nonce > limit {
            return Err(Refusal::NonceTooHigh { next: account_nonce, nonce, limit });
        }
        let queue = self.senders.get(&tx.sender);
        if let Some(old) = queue.and_then(|queue| queue.by_nonce.get(&nonce)) {
            return if outbids(tx, old) { Ok(()) } else { Err(Refusal::Underpriced) };
        }
        let limit = self.limits.sender_transactions_max;
        if queue.is_some_and(|queue| queue.by_nonce.len() >= limit) {
            return Err(Refusal::SenderFull { limit });
        }
        if self.len() >= self.limits.transactions_max {
            return Err(Refusal::PoolFull);
        }
        Ok(())
    }

    /// Adds a transaction; gives back the one whose place it takes.
    pub fn add(&mut self, tx: PooledTx, account_nonce: u64) -> Result<Option<PooledTx>, Refusal> {
        self.check(&tx, account_nonce)?;
        let (sender, nonce) = (tx.sender, tx.tx.nonce());
        self.by_hash.insert(tx.tx.hash(), (sender, nonce));
        let queue = self
            .senders
            .entry(sender)
            .or_insert_with(|| Queue { next: account_nonce, by_nonce: BTreeMap::new() });
        let arrival = tx.arrival;
        let replaced = queue.by_nonce.insert(nonce, tx);
        if let Some(replaced) = &replaced {
            self.by_hash.remove(&replaced.tx.hash());
            self.ready.remove(&replaced.arrival);
        }
        if nonce == queue.next {
            self.ready.insert(arrival, sender);
        }
        Ok(replaced)
    }

    /// Adds a transaction that was acknowledged before, however full the pool is. One that is here already with its nonce came
    /// later, and stays only if it was acknowledged in this one's place.
    pub fn restore(
        &mut self,
        tx: PooledTx,
        account_nonce: u64,
    ) -> Result<Option<PooledTx>, Refusal> {
        let limits = std::mem::replace(&mut self.limits, PoolLimits::NONE);
        let added = self.add(tx, account_nonce);
        self.limits = limits;
        added
    }

    /// Everybody whose transactions are here.
    pub fn senders(&self) -> Vec<Address> {
        self.senders.keys().copied().collect()
    }

    /// Takes the first transaction in the order of arrival whose turn it is and that pays `base_fee`.
    pub fn pop_ready(&mut self, base_fee: u64) -> Option<PooledTx> {
        let pays = |sender: &Address| {
            let queue = &self.senders[sender];
            queue.by_nonce[&queue.next].tx.envelope().max_fee_per_gas() >= u128::from(base_fee)
        };
        let (&arrival, &sender) = self.ready.iter().find(|(_, sender)| pays(sender))?;
        self.ready.remove(&arrival);
        let queue = self.senders.get_mut(&sender).expect("invariant: ready senders have queues");
        let tx = queue.by_nonce.remove(&queue.next).expect("invariant: ready means present");
        queue.next += 1;
        if let Some(following) = queue.by_nonce.get(&queue.next) {
            self.ready.insert(following.arrival, sender);
        }
        self.by_hash.remove(&tx.tx.hash());
        Some(tx)
    }

    /// Puts back a transaction that was taken, as if it had not been.
    pub fn put_back(&mut self, tx: PooledTx) {
        let (sender, nonce, arrival) = (tx.sender, tx.tx.nonce(), tx.arrival);
        self.by_hash.insert(tx.tx.hash(), (sender, nonce));
        let queue = self
            .senders
            .entry(sender)
            .or_insert_with(|| Queue { next: nonce, by_nonce: BTreeMap::new() });
        if let Some(following) = queue.by_nonce.get(&queue.next) {
            self.ready.remove(&following.arrival);
        }
        queue.next = nonce;
        queue.by_nonce.insert(nonce, tx);
        self.ready.insert(arrival, sender);
    }

    /// Tells the pool an account's nonce after a block. Gives back what can no longer be included.
    pub fn set_nonce(&mut self, sender: Address, account_nonce: u64) -> Vec<PooledTx> {
        let Some(queue) = self.senders.get_mut(&sender) else {
            return Vec::new();
        };
        if let Some(next) = queue.by_nonce.get(&queue.next) {
            self.ready.remove(&next.arrival);
        }
        let kept = queue.by_nonce.split_off(&account_nonce);
        let stale = std::mem::replace(&mut queue.by_nonce, kept);
        queue.next = account_nonce;
        if let Some(next) = queue.by_nonce.get(&account_nonce) {
            self.ready.insert(next.arrival, sender);
        }
        if queue.by_nonce.is_empty() {
            self.senders.remove(&sender);
        }
        for tx in stale.values() {
            self.by_hash.remove(&tx.tx.hash());
        }
        stale.into_values().collect()
    }

    /// Whether any transaction's turn has come.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Transactions that have no gap before them.
    pub fn ready_len(&self) -> usize {
        let contiguous = |queue: &Queue| {
            (queue.next..).take_while(|nonce| queue.by_nonce.contains_key(nonce)).count()
        };
        self.senders.values().map(contiguous).sum()
    }
}

fn outbids(new: &PooledTx, old: &PooledTx) -> bool {
    let enough = |new: u128, old: u128| {
        new >= old.saturating_add(old.saturating_mul(REPLACEMENT_BUMP_PERCENT).div_ceil(100))
    };
    let (new, old) = (new.tx.envelope(), old.tx.envelope());
    let tip = |tx: &turnpike_protocol::TxEnvelope| {
        tx.max_priority_fee_per_gas().unwrap_or_else(|| tx.max_fee_per_gas())
    };
    enough(new.max_fee_per_gas(), old.max_fee_per_gas()) && enough(tip(new), tip(old))
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{SignableTransaction as _, TxEip1559};
    use alloy_primitives::{Signature, TxKind, U256};

    use super::*;

    fn tx(sender: u8, nonce: u64, arrival: u64, fee: u128) -> PooledTx {
        let envelope = TxEip1559 {
            chain_id: 1,
            nonce,
            max_fee_per_gas: fee,
            max_priority_fee_per_gas: fee,
            to: TxKind::Call(Address::repeat_byte(sender)),
            ..Default::default()
        }
        .into_signed(Signature::new(U256::from(1), U256::from(1), false));
        PooledTx {
            tx: SignedTx::recover(envelope.into()),
            raw: Bytes::new(),
            sender: Address::repeat_byte(sender),
            arrival,
        }
    }

    fn pool() -> Pool {
        Pool::new(PoolLimits { transactions_max: 6, sender_transactions_max: 4, nonce_gap_max: 8 })
    }

    fn drain(pool: &mut Pool, base_fee: u64) -> Vec<u64> {
        std::iter::from_fn(|| pool.pop_ready(base_fee)).map(|tx| tx.arrival).collect()
    }

    #[test]
    fn order_is_arrival_then_nonce() {
        let mut pool = pool();
        // Sender 1's second transaction arrives first: it waits for the one before it.
        for tx in [tx(1, 1, 0, 9), tx(2, 0, 1, 9), tx(1, 0, 2, 9), tx(2, 1, 3, 9)] {
            pool.add(tx, 0).expect("fits");
        }
        assert_eq!(pool.next_nonce(&Address::repeat_byte(1)), Some(2));
        assert_eq!(drain(&mut pool, 0), [1, 2, 0, 3]);
        assert!(pool.is_empty());
    }

    #[test]
    fn a_gap_holds_back_and_a_low_fee_waits() {
        let mut pool = pool();
        pool.add(tx(1, 1, 0, 9), 0).expect("fits");
        pool.add(tx(2, 0, 1, 3), 0).expect("fits");
        pool.add(tx(3, 0, 2, 9), 0).expect("fits");
        assert_eq!(drain(&mut pool, 5), [2]);
        assert_eq!(drain(&mut pool, 0), [1]);
        assert!(!pool.has_ready());
        assert_eq!(pool.len(), 1);
        pool.set_nonce(Address::repeat_byte(1), 1);
        assert_eq!(drain(&mut pool, 0), [0]);
    }

    #[test]
    fn replacement_needs_a_tenth_more() {
        let mut pool = pool();
        pool.add(tx(1, 0, 0, 100), 0).expect("fits");
        assert_eq!(pool.add(tx(1, 0, 1, 100), 0).map(drop), Err(Refusal::AlreadyKnown));
        assert_eq!(pool.add(tx(1, 0, 1, 109), 0).map(drop), Err(Refusal::Underpriced));
        let replaced = pool.add(tx(1, 0, 2, 110), 0).expect("outbids").expect("replaces");
        assert_eq!(replaced.arrival, 0);
        assert_eq!(drain(&mut pool, 0), [2]);
    }

    #[test]
    fn limits_are_named() {
        let mut pool = pool();
        assert!(matches!(
            pool.add(tx(1, 3, 0, 1), 4),
            Err(Refusal::NonceTooLow { next: 4, nonce: 3 })
        ));
        assert!(matches!(pool.add(tx(1, 9, 0, 1), 0), Err(Refusal::NonceTooHigh { limit: 8, .. })));
        for nonce in 0..4 {
            pool.add(tx(1, nonce, nonce, 1), 0).expect("fits");
        }
        assert!(matches!(pool.add(tx(1, 4, 4, 1), 0), Err(Refusal::SenderFull { limit: 4 })));
        pool.add(tx(2, 0, 5, 1), 0).expect("fits");
        pool.add(tx(3, 0, 6, 1), 0).expect("fits");
        assert_eq!(pool.add(tx(4, 0, 7, 1), 0).map(drop), Err(Refusal::PoolFull));
    }

    #[test]
    fn put_back_restores() {
        let mut pool = pool();
        for tx in [tx(1, 0, 0, 9), tx(1, 1, 1, 9), tx(2, 0, 2, 9)] {
            pool.add(tx, 0).expect("fits");
        }
        let first = pool.pop_ready(0).expect("ready");
        pool.put_back(first);
        assert_eq!(drain(&mut pool, 0), [0, 1, 2]);
    }

    #[test]
    fn stale_nonces_are_given_back() {
        let mut pool = pool();
        for nonce in 0..3 {
            pool.add(tx(1, nonce, nonce, 9), 0).expect("fits");
        }
        let stale = pool.set_nonce(Address::repeat_byte(1), 2);
        assert_eq!(stale.iter().map(|tx| tx.arrival).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(drain(&mut pool, 0), [2]);
    }
}
