//! The challenger's metrics.

use alloy_primitives::U256;
use metrics::{Counter, Gauge};
use metrics_derive::Metrics;

/// Metrics of a challenger. Names begin with `turnpike_challenger_`.
#[derive(Clone, Metrics)]
#[metrics(scope = "turnpike_challenger")]
pub(crate) struct ChallengerMetrics {
    /// Balance of the challenger's account
    #[metric(rename = "balance_ether")]
    balance: Gauge,
    /// Base fee of the next L1 block
    #[metric(rename = "base_fee_gwei")]
    base_fee: Gauge,
    /// Transactions in flight
    in_flight: Gauge,
    /// Own challenges that are not decided
    pub(crate) challenges_open: Gauge,
    /// Own games that are not decided
    pub(crate) games_open: Gauge,
    /// Actions that the next L1 block can include
    pub(crate) actions: Gauge,
    /// Seconds to the next deadline; infinite if there is none
    #[metric(rename = "slack_seconds")]
    pub(crate) slack: Gauge,
    /// Moves that wait for a run of the proof program
    pub(crate) runs_open: Gauge,
    /// Transactions that wait for funds
    pub(crate) unpaid: Gauge,
    /// Outputs judged wrong
    #[metric(rename = "outputs_wrong_total")]
    pub(crate) outputs_wrong: Counter,
    /// Own moves on L1
    #[metric(rename = "moves_total")]
    pub(crate) moves: Counter,
    /// Transactions signed, replacements included
    #[metric(rename = "attempts_total")]
    attempts: Counter,
    /// Transactions signed to replace another at a higher price
    #[metric(rename = "replacements_total")]
    replacements: Counter,
    /// Transactions that failed on L1
    #[metric(rename = "failures_total")]
    failures: Counter,
    /// Gas costs paid on L1
    #[metric(rename = "spent_gwei_total")]
    spent: Counter,
    /// L1 reorgs
    #[metric(rename = "reorgs_total")]
    pub(crate) reorgs: Counter,
}

/// Wei in a gwei, and in an ether.
const GWEI: u128 = 1_000_000_000;
const ETHER: f64 = 1e18;

impl ChallengerMetrics {
    /// Updates the account's state at a new L1 block.
    pub(crate) fn account(&self, balance: U256, base_fee: u128, in_flight: usize) {
        self.balance.set(f64::from(balance) / ETHER);
        self.base_fee.set(base_fee as f64 / GWEI as f64);
        self.in_flight.set(in_flight as f64);
    }

    /// Counts a signed transaction.
    pub(crate) fn sent(&self, is_replacement: bool) {
        self.attempts.increment(1);
        self.replacements.increment(u64::from(is_replacement));
    }

    /// Counts a transaction that L1 has included at a cost in wei.
    pub(crate) fn included(&self, cost: u128, is_success: bool) {
        self.spent.increment(u64::try_from(cost / GWEI).unwrap_or(u64::MAX));
        self.failures.increment(u64::from(!is_success));
    }
}
