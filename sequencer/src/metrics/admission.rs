//! Metrics of admission.

use metrics::{Counter, Gauge, Histogram, counter, describe_counter};
use metrics_derive::Metrics;

use crate::Refusal;

/// Counter of refused transactions by code. A code is only known when a transaction is refused.
const REFUSALS_METRIC: &str = "turnpike_sequencer_refusals_total";

/// Metrics of admission.
#[derive(Clone, Metrics)]
#[metrics(scope = "turnpike_sequencer_admission")]
pub(crate) struct AdmissionMetrics {
    /// Transactions decoded and recovered, refused ones included
    #[metric(rename = "checked_total")]
    pub(crate) checked: Counter,
    /// Transactions that wait to be decoded and recovered
    #[metric(rename = "waiting_transactions")]
    pub(crate) waiting: Gauge,
    /// Transactions that a worker took at once
    #[metric(rename = "batch_transactions")]
    pub(crate) batch: Histogram,
}

/// Describes `refusals_total{code}`.
pub(crate) fn describe_refusals() {
    describe_counter!(REFUSALS_METRIC, "Transactions that were refused, by code");
}

/// Counts a refusal in a reply to a client: `refusals_total{code}`.
pub(crate) fn refused(refusal: &Refusal) {
    counter!(REFUSALS_METRIC, "code" => refusal.code()).increment(1);
}
