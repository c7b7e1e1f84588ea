//! Metrics of the pool.

use metrics::{Counter, Gauge};
use metrics_derive::Metrics;

/// Metrics of the pool.
#[derive(Clone, Metrics)]
#[metrics(scope = "turnpike_sequencer_pool")]
pub(crate) struct PoolMetrics {
    /// Transactions that wait
    transactions: Gauge,
    /// Transactions that wait, without a nonce missing before them
    #[metric(rename = "ready_transactions")]
    ready: Gauge,
    /// Bytes of the transactions that wait
    bytes: Gauge,
    /// Accounts whose transactions wait
    senders: Gauge,
    /// Slices that were too small for all that waited
    #[metric(rename = "small_slices_total")]
    pub(crate) small_slices: Counter,
    /// Transactions that made room for others
    #[metric(rename = "evicted_total")]
    pub(crate) evicted: Counter,
    /// Transactions that waited too long for a nonce
    #[metric(rename = "expired_total")]
    pub(crate) expired: Counter,
    /// Transactions replaced by others with a higher fee
    #[metric(rename = "replaced_total")]
    pub(crate) replaced: Counter,
}

impl PoolMetrics {
    /// Sets the gauges to what the pool holds.
    pub(crate) fn hold(&self, transactions: usize, ready: usize, bytes: usize, senders: usize) {
        self.transactions.set(transactions as f64);
        self.ready.set(ready as f64);
        self.bytes.set(bytes as f64);
        self.senders.set(senders as f64);
    }
}
