//! A pooled transaction.

use std::ops::{AddAssign, SubAssign};

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, Bytes};
use turnpike_protocol::SignedTx;
use turnpike_storage::{AcceptedBytes, AcceptedTx};

/// How much more, in percent, a transaction must pay to take the place of another.
const BUMP_PERCENT: u128 = 10;

/// Arrival of a chain's first transaction. Rewound transactions get smaller ones, because they go
/// first.
pub(crate) const ARRIVAL_FIRST: u64 = 1 << 62;

/// A transaction in the pool.
#[derive(Clone, Debug)]
pub struct PooledTx {
    /// The transaction.
    pub tx: SignedTx,
    /// Its EIP-2718 bytes.
    pub raw: Bytes,
    /// Its signer.
    pub sender: Address,
    /// Its position in the order of arrival.
    pub arrival: u64,
    /// When it was received, in Unix milliseconds.
    pub received_ms: u64,
}

impl PooledTx {
    /// The transaction as the journal records it.
    pub(crate) fn to_accepted(&self) -> AcceptedTx {
        let Self { ref tx, ref raw, sender, arrival, received_ms } = *self;
        let raw = AcceptedBytes::Log(Some(raw.clone()));
        AcceptedTx { arrival, received_ms, hash: tx.hash(), sender, raw }
    }

    /// Fee cap per gas, in wei.
    pub(super) fn fee_cap(&self) -> u128 {
        self.tx.envelope().max_fee_per_gas()
    }

    /// Tip cap per gas, in wei.
    pub(super) fn tip_cap(&self) -> u128 {
        let tip = self.tx.envelope().max_priority_fee_per_gas();
        tip.unwrap_or_else(|| self.fee_cap())
    }

    /// Whether it was executed once, and a reorg made it pending again.
    pub(crate) const fn is_rewound(&self) -> bool {
        self.arrival < ARRIVAL_FIRST
    }

    /// Whether it pays enough to replace `old`.
    pub(super) fn outbids(&self, old: &Self) -> bool {
        is_enough(self.fee_cap(), old.fee_cap()) && is_enough(self.tip_cap(), old.tip_cap())
    }
}

/// Whether a transaction that bids `new` per gas may evict one that bids `old`. It must pay more,
/// by a margin, so that nobody cycles the pool's content for one wei each.
pub(super) fn may_evict(new: u128, old: u128) -> bool {
    new > old && is_enough(new, old)
}

/// The least bid per gas that is above `old` by the margin.
pub(super) fn least_above(old: u128) -> u128 {
    with_bump(old).max(old.saturating_add(1))
}

fn is_enough(new: u128, old: u128) -> bool {
    new >= with_bump(old)
}

const fn with_bump(old: u128) -> u128 {
    old.saturating_add(old.saturating_mul(BUMP_PERCENT).div_ceil(100))
}

/// Number, bytes and gas of some transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TxTotals {
    pub(crate) transactions: usize,
    /// Bytes of their encodings.
    pub(crate) bytes: usize,
    /// The sum of their gas limits. A `u64` could overflow.
    pub(crate) gas: u128,
}

impl TxTotals {
    /// The totals of one transaction.
    pub(crate) fn of(tx: &PooledTx) -> Self {
        let gas = tx.tx.envelope().gas_limit().into();
        Self { transactions: 1, bytes: tx.raw.len(), gas }
    }
}

impl AddAssign for TxTotals {
    fn add_assign(&mut self, other: Self) {
        self.transactions += other.transactions;
        self.bytes += other.bytes;
        self.gas += other.gas;
    }
}

impl SubAssign for TxTotals {
    fn sub_assign(&mut self, other: Self) {
        self.transactions -= other.transactions;
        self.bytes -= other.bytes;
        self.gas -= other.gas;
    }
}
