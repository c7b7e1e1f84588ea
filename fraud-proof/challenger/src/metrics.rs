use alloy_primitives::U256;
use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

/// What a challenger tells about itself. Names begin with `turnpike_challenger_`.
#[derive(Clone)]
pub(crate) struct ChallengerMetrics {
    /// `balance_ether`: what its account holds.
    balance: Gauge,
    /// `base_fee_gwei`: what the next L1 block asks for.
    base_fee: Gauge,
    /// `in_flight`: transactions on their way.
    in_flight: Gauge,
    /// `challenges_open`: challenges of its own that are not decided.
    pub(crate) challenges_open: Gauge,
    /// `games_open`: games of its own that are not decided.
    pub(crate) games_open: Gauge,
    /// `duties`: what there is to be done.
    pub(crate) duties: Gauge,
    /// `slack_seconds`: least time to a deadline; infinite if there is none.
    pub(crate) slack: Gauge,
    /// `unpaid`: transactions that wait for money.
    pub(crate) unpaid: Gauge,
    /// `outputs_wrong_total`: outputs that were found wrong.
    pub(crate) outputs_wrong: Counter,
    /// `moves_total`: moves of its own on L1.
    pub(crate) moves: Counter,
    /// `attempts_total`: transactions that were signed.
    attempts: Counter,
    /// `replacements_total`: those of them that replaced another.
    replacements: Counter,
    /// `failures_total`: transactions that failed on L1.
    failures: Counter,
    /// `spent_gwei_total`: what L1 took for gas, whole gwei.
    spent: Counter,
    /// `reorgs_total`: looks that found L1 reorganised.
    pub(crate) reorgs: Counter,
}

impl std::fmt::Debug for ChallengerMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChallengerMetrics")
    }
}

/// Wei in a gwei, and in an ether.
const GWEI: u128 = 1_000_000_000;
const ETHER: f64 = 1e18;

impl ChallengerMetrics {
    /// Registers all of them with the process's recorder, if it has one.
    pub(crate) fn new() -> Self {
        describe();
        Self {
            balance: gauge!("turnpike_challenger_balance_ether"),
            base_fee: gauge!("turnpike_challenger_base_fee_gwei"),
            in_flight: gauge!("turnpike_challenger_in_flight"),
            challenges_open: gauge!("turnpike_challenger_challenges_open"),
            games_open: gauge!("turnpike_challenger_games_open"),
            duties: gauge!("turnpike_challenger_duties"),
            slack: gauge!("turnpike_challenger_slack_seconds"),
            unpaid: gauge!("turnpike_challenger_unpaid"),
            outputs_wrong: counter!("turnpike_challenger_outputs_wrong_total"),
            moves: counter!("turnpike_challenger_moves_total"),
            attempts: counter!("turnpike_challenger_attempts_total"),
            replacements: counter!("turnpike_challenger_replacements_total"),
            failures: counter!("turnpike_challenger_failures_total"),
            spent: counter!("turnpike_challenger_spent_gwei_total"),
            reorgs: counter!("turnpike_challenger_reorgs_total"),
        }
    }

    /// The account and L1, at a new block.
    pub(crate) fn account(&self, balance: U256, base_fee: u128, in_flight: usize) {
        self.balance.set(f64::from(balance) / ETHER);
        self.base_fee.set(base_fee as f64 / GWEI as f64);
        self.in_flight.set(in_flight as f64);
    }

    /// A transaction was signed.
    pub(crate) fn sent(&self, is_replacement: bool) {
        self.attempts.increment(1);
        self.replacements.increment(u64::from(is_replacement));
    }

    /// A transaction is on L1.
    pub(crate) fn included(&self, cost: u128, is_success: bool) {
        self.spent.increment(u64::try_from(cost / GWEI).unwrap_or(u64::MAX));
        self.failures.increment(u64::from(!is_success));
    }
}

fn describe() {
    describe_gauge!("turnpike_challenger_balance_ether", "What the challenger's account holds");
    describe_gauge!("turnpike_challenger_base_fee_gwei", "Base fee of the next L1 block");
    describe_gauge!("turnpike_challenger_in_flight", "Transactions on their way");
    describe_gauge!("turnpike_challenger_challenges_open", "Own challenges that are not decided");
    describe_gauge!("turnpike_challenger_games_open", "Own games that are not decided");
    describe_gauge!("turnpike_challenger_duties", "What there is to be done on L1");
    describe_gauge!(
        "turnpike_challenger_slack_seconds",
        Unit::Seconds,
        "Least time to a deadline; infinite if there is none"
    );
    describe_gauge!("turnpike_challenger_unpaid", "Transactions that wait for money");
    describe_counter!("turnpike_challenger_outputs_wrong_total", "Outputs that were found wrong");
    describe_counter!("turnpike_challenger_moves_total", "Own moves on L1");
    describe_counter!("turnpike_challenger_attempts_total", "Transactions signed");
    describe_counter!(
        "turnpike_challenger_replacements_total",
        "Transactions replaced by dearer ones"
    );
    describe_counter!("turnpike_challenger_failures_total", "Transactions that failed on L1");
    describe_counter!("turnpike_challenger_spent_gwei_total", "What L1 took for gas");
    describe_counter!("turnpike_challenger_reorgs_total", "L1 reorganisations seen");
}
