use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

/// What the pool tells about itself.
#[derive(Clone)]
pub(crate) struct PoolMetrics {
    /// `pool_transactions`: transactions that wait.
    transactions: Gauge,
    /// `pool_ready_transactions`: those of them without a gap before them.
    ready: Gauge,
    /// `pool_bytes`: bytes of all.
    bytes: Gauge,
    /// `pool_senders`: who they are from.
    senders: Gauge,
    /// `pool_evicted_total`: those that made room for others.
    pub(crate) evicted: Counter,
    /// `pool_expired_total`: those that waited too long for a nonce.
    pub(crate) expired: Counter,
    /// `pool_replaced_total`: those that were replaced with a higher fee.
    pub(crate) replaced: Counter,
}

impl std::fmt::Debug for PoolMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PoolMetrics")
    }
}

impl PoolMetrics {
    /// Registers all of them with the process's recorder, if it has one.
    pub(crate) fn new() -> Self {
        describe();
        Self {
            transactions: gauge!("turnpike_sequencer_pool_transactions"),
            ready: gauge!("turnpike_sequencer_pool_ready_transactions"),
            bytes: gauge!("turnpike_sequencer_pool_bytes"),
            senders: gauge!("turnpike_sequencer_pool_senders"),
            evicted: counter!("turnpike_sequencer_pool_evicted_total"),
            expired: counter!("turnpike_sequencer_pool_expired_total"),
            replaced: counter!("turnpike_sequencer_pool_replaced_total"),
        }
    }

    /// So much is in the pool.
    pub(crate) fn hold(&self, transactions: usize, ready: usize, bytes: usize, senders: usize) {
        self.transactions.set(transactions as f64);
        self.ready.set(ready as f64);
        self.bytes.set(bytes as f64);
        self.senders.set(senders as f64);
    }
}

fn describe() {
    describe_gauge!("turnpike_sequencer_pool_transactions", "Transactions that wait");
    describe_gauge!(
        "turnpike_sequencer_pool_ready_transactions",
        "Transactions that wait, without a nonce missing before them"
    );
    describe_gauge!("turnpike_sequencer_pool_bytes", Unit::Bytes, "Bytes of what waits");
    describe_gauge!("turnpike_sequencer_pool_senders", "Accounts whose transactions wait");
    describe_counter!(
        "turnpike_sequencer_pool_evicted_total",
        "Transactions that made room for others"
    );
    describe_counter!(
        "turnpike_sequencer_pool_expired_total",
        "Transactions that waited too long for a nonce"
    );
    describe_counter!(
        "turnpike_sequencer_pool_replaced_total",
        "Transactions replaced by others with a higher fee"
    );
}
