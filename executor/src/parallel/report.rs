//! The report of a slice's execution.

use std::time::Duration;

/// The report of a slice's execution.
#[derive(Clone, Debug, Default)]
pub struct SliceReport {
    /// Transactions in the slice.
    pub transactions: usize,
    /// Transactions that ran in lanes. The others ran sequentially.
    pub in_lanes: usize,
    /// The lanes, in the order in which they started.
    pub lanes: Vec<LaneReport>,
    /// Lanes that executed again because they conflicted.
    pub conflicts: usize,
    /// Rounds until no lane conflicted.
    pub rounds: usize,
    /// Planned transactions that profiles predicted.
    pub predicted: usize,
    /// Planned transactions without a usable profile.
    pub unknown: usize,
    /// Transactions that ran speculatively, before their turn.
    pub speculated: usize,
    /// Speculative runs whose outcome was used.
    pub reused: usize,
    /// Transactions that accessed unexpected keys and so caused a conflict.
    pub misses: usize,
    /// Time per stage.
    pub times: StageTimes,
}

/// One lane of a slice.
#[derive(Clone, Copy, Debug, Default)]
pub struct LaneReport {
    /// Number of transactions.
    pub transactions: usize,
    /// Gas used.
    pub gas: u64,
    /// Execution time.
    pub time: Duration,
}

impl StageTimes {
    /// Time spent on lanes, without predicting accesses.
    pub(super) fn in_lanes(&self) -> Duration {
        let Self { predict: _, partition, execute, check, merge, sequential: _ } = *self;
        partition + execute + check + merge
    }
}

/// Wall time of each stage of a slice.
#[derive(Clone, Copy, Debug, Default)]
pub struct StageTimes {
    /// Predicting accesses.
    pub predict: Duration,
    /// Assigning transactions to lanes.
    pub partition: Duration,
    /// Executing lanes.
    pub execute: Duration,
    /// Finding conflicts.
    pub check: Duration,
    /// Merging lanes.
    pub merge: Duration,
    /// Executing sequentially.
    pub sequential: Duration,
}
