use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};
use turnpike_protocol::DataKind;
use turnpike_storage::{Inclusion, OutboxBatch};

use crate::WaitReason;

/// The batcher's metrics. Names begin with `turnpike_batcher_`.
#[derive(Clone)]
pub(crate) struct BatcherMetrics {
    /// `balance_ether`: balance of the posting account.
    pub(crate) balance: Gauge,
    /// `backlog_blocks`: sealed blocks that no inbox entry holds.
    pub(crate) backlog_blocks: Gauge,
    /// `backlog_bytes`: their bytes before compression, as far as they fit the next batch.
    pub(crate) backlog_bytes: Gauge,
    /// `backlog_age_seconds`: age of the oldest.
    pub(crate) backlog_age: Gauge,
    /// `in_flight_blocks`: L1 blocks since the newest transaction was signed; 0 if none is in
    /// flight.
    pub(crate) in_flight: Gauge,
    /// `base_fee_gwei`: base fee of the next L1 block.
    pub(crate) base_fee: Gauge,
    /// `blob_base_fee_gwei`: blob base fee of the next L1 block.
    pub(crate) blob_base_fee: Gauge,
    /// `attempts_total`: signed transactions.
    pub(crate) attempts: Counter,
    /// `replacements_total`: those that replaced another one.
    pub(crate) replacements: Counter,
    /// `rebroadcasts_total`: transactions broadcast again because L1 did not know them.
    pub(crate) rebroadcasts: Counter,
    /// `refusals_total`: transactions that the pool refused.
    pub(crate) refusals: Counter,
    /// `reverts_total`: transactions that reverted on L1.
    pub(crate) reverts: Counter,
    /// `reorgs_total`: L1 reorgs seen.
    pub(crate) reorgs: Counter,
    /// `l1_gas_total`: L1 gas of entries.
    l1_gas: Counter,
    /// `l1_blob_gas_total`: their blob gas.
    l1_blob_gas: Counter,
    /// `data_bytes_total`: bytes of batches on L1.
    data_bytes: Counter,
    /// `transactions_total`: L2 transactions in them.
    transactions: Counter,
    /// `spent_gwei_total`: cost of entries, in whole gwei.
    spent: Counter,
    /// `l1_gas_per_transaction`: of the newest entry that holds any.
    gas_per_transaction: Gauge,
    /// `bytes_per_transaction`: of the newest entry that holds any.
    bytes_per_transaction: Gauge,
}

impl std::fmt::Debug for BatcherMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BatcherMetrics")
    }
}

/// Wei in a gwei.
const GWEI: f64 = 1e9;

impl BatcherMetrics {
    /// Registers the metrics with the process's recorder, if it has one.
    pub(crate) fn new() -> Self {
        describe();
        Self {
            balance: gauge!("turnpike_batcher_balance_ether"),
            backlog_blocks: gauge!("turnpike_batcher_backlog_blocks"),
            backlog_bytes: gauge!("turnpike_batcher_backlog_bytes"),
            backlog_age: gauge!("turnpike_batcher_backlog_age_seconds"),
            in_flight: gauge!("turnpike_batcher_in_flight_blocks"),
            base_fee: gauge!("turnpike_batcher_base_fee_gwei"),
            blob_base_fee: gauge!("turnpike_batcher_blob_base_fee_gwei"),
            attempts: counter!("turnpike_batcher_attempts_total"),
            replacements: counter!("turnpike_batcher_replacements_total"),
            rebroadcasts: counter!("turnpike_batcher_rebroadcasts_total"),
            refusals: counter!("turnpike_batcher_refusals_total"),
            reverts: counter!("turnpike_batcher_reverts_total"),
            reorgs: counter!("turnpike_batcher_reorgs_total"),
            l1_gas: counter!("turnpike_batcher_l1_gas_total"),
            l1_blob_gas: counter!("turnpike_batcher_l1_blob_gas_total"),
            data_bytes: counter!("turnpike_batcher_data_bytes_total"),
            transactions: counter!("turnpike_batcher_transactions_total"),
            spent: counter!("turnpike_batcher_spent_gwei_total"),
            gas_per_transaction: gauge!("turnpike_batcher_l1_gas_per_transaction"),
            bytes_per_transaction: gauge!("turnpike_batcher_bytes_per_transaction"),
        }
    }

    /// L1 includes a batch.
    pub(crate) fn included(&self, batch: &OutboxBatch, inclusion: &Inclusion) {
        let kind = match batch.kind {
            DataKind::Blobs => "blobs",
            DataKind::Calldata => "calldata",
            DataKind::None => "none",
        };
        counter!("turnpike_batcher_entries_total", "kind" => kind).increment(1);
        self.l1_gas.increment(inclusion.gas_used);
        self.l1_blob_gas.increment(inclusion.blob_gas_used);
        self.data_bytes.increment(batch.data_bytes);
        self.transactions.increment(batch.transactions);
        let gwei = inclusion.cost() / alloy_primitives::U256::from(1_000_000_000u64);
        self.spent.increment(gwei.saturating_to());
        if batch.transactions > 0 {
            let each = |amount: u64| amount as f64 / batch.transactions as f64;
            self.gas_per_transaction.set(each(inclusion.gas_used));
            self.bytes_per_transaction.set(each(batch.data_bytes));
        }
    }

    /// Nothing is sent in this step.
    pub(crate) fn waited(&self, wait: WaitReason) {
        counter!("turnpike_batcher_waits_total", "reason" => wait.name()).increment(1);
    }
}

/// Wei as gwei.
pub(crate) fn gwei(wei: u128) -> f64 {
    wei as f64 / GWEI
}

fn describe() {
    describe_gauge!("turnpike_batcher_balance_ether", "Balance of the posting account");
    describe_gauge!("turnpike_batcher_backlog_blocks", "Sealed blocks that no inbox entry holds");
    describe_gauge!(
        "turnpike_batcher_backlog_bytes",
        Unit::Bytes,
        "Bytes of the blocks for the next batch, before compression"
    );
    describe_gauge!(
        "turnpike_batcher_backlog_age_seconds",
        Unit::Seconds,
        "Age of the oldest block that no inbox entry holds"
    );
    describe_gauge!(
        "turnpike_batcher_in_flight_blocks",
        "L1 blocks since the pending transaction was signed"
    );
    describe_gauge!("turnpike_batcher_base_fee_gwei", "Base fee of the next L1 block");
    describe_gauge!("turnpike_batcher_blob_base_fee_gwei", "Blob base fee of the next L1 block");
    describe_counter!("turnpike_batcher_attempts_total", "Transactions signed");
    describe_counter!(
        "turnpike_batcher_replacements_total",
        "Transactions that replaced another one"
    );
    describe_counter!("turnpike_batcher_rebroadcasts_total", "Transactions broadcast again");
    describe_counter!("turnpike_batcher_refusals_total", "Transactions that the pool refused");
    describe_counter!("turnpike_batcher_reverts_total", "Transactions that reverted on L1");
    describe_counter!("turnpike_batcher_reorgs_total", "L1 reorgs seen");
    describe_counter!("turnpike_batcher_entries_total", "Entries on L1, by kind of data");
    describe_counter!("turnpike_batcher_waits_total", "Steps in which nothing was sent, by reason");
    describe_counter!("turnpike_batcher_l1_gas_total", "L1 gas used by entries");
    describe_counter!("turnpike_batcher_l1_blob_gas_total", "L1 blob gas used by entries");
    describe_counter!("turnpike_batcher_data_bytes_total", Unit::Bytes, "Bytes of batches on L1");
    describe_counter!("turnpike_batcher_transactions_total", "L2 transactions on L1");
    describe_counter!("turnpike_batcher_spent_gwei_total", "Cost of entries, in gwei");
    describe_gauge!(
        "turnpike_batcher_l1_gas_per_transaction",
        "L1 gas per L2 transaction of the newest entry"
    );
    describe_gauge!(
        "turnpike_batcher_bytes_per_transaction",
        Unit::Bytes,
        "Batch bytes per L2 transaction of the newest entry"
    );
}
