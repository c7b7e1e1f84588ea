use metrics::{Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, gauge};
use metrics::{Unit, describe_histogram, histogram};

use crate::Refusal;

/// What admission tells about itself.
#[derive(Clone)]
pub(crate) struct AdmissionMetrics {
    /// `admission_checked_total`: transactions that were decoded and whose signers were recovered, refused ones included.
    pub(crate) checked: Counter,
    /// `admission_waiting_transactions`: those that wait for a worker.
    pub(crate) waiting: Gauge,
    /// `admission_batch_transactions`: how many a worker took at once.
    pub(crate) batch: Histogram,
}

impl std::fmt::Debug for AdmissionMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdmissionMetrics")
    }
}

impl AdmissionMetrics {
    /// Registers all of them with the process's recorder, if it has one.
    pub(crate) fn new() -> Self {
        describe_counter!(
            "turnpike_sequencer_admission_checked_total",
            "Transactions decoded and recovered"
        );
        describe_gauge!(
            "turnpike_sequencer_admission_waiting_transactions",
            "Transactions that wait to be decoded and recovered"
        );
        describe_histogram!(
            "turnpike_sequencer_admission_batch_transactions",
            Unit::Count,
            "Transactions that a worker took at once"
        );
        describe_counter!(
            "turnpike_sequencer_refusals_total",
            "Transactions that were refused, by code"
        );
        Self {
            checked: counter!("turnpike_sequencer_admission_checked_total"),
            waiting: gauge!("turnpike_sequencer_admission_waiting_transactions"),
            batch: histogram!("turnpike_sequencer_admission_batch_transactions"),
        }
    }
}

/// A client was told of a refusal: `refusals_total{code}`.
pub(crate) fn refused(refusal: &Refusal) {
    counter!("turnpike_sequencer_refusals_total", "code" => refusal.code()).increment(1);
}
