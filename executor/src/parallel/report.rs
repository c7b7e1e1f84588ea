use std::time::Duration;

/// How a slice of a block ran.
#[derive(Clone, Debug, Default)]
pub struct SliceReport {
    /// Transactions in the slice.
    pub transactions: usize,
    /// Those of them that ran in lanes; the others ran one after the other.
    pub in_lanes: usize,
    /// The lanes, the first to be started first.
    pub lanes: Vec<LaneReport>,
    /// Lanes that touched what another lane changed, and ran again.
    pub conflicts: usize,
    /// Times that lanes ran before none escaped.
    pub rounds: usize,
    /// Transactions whose accesses were told from profiles of what they call, of those that were looked at.
    pub predicted: usize,
    /// Transactions of which too little was known, of those that were looked at.
    pub unknown: usize,
    /// Transactions that ran by themselves first, on the state before their turn.
    pub speculated: usize,
    /// Those of them of which that was what came of them.
    pub reused: usize,
    /// Transactions that touched what nobody expected and so made lanes run again.
    pub misses: usize,
    /// What the stages took.
    pub times: StageTimes,
}

/// A lane: transactions that may depend on each other, run in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct LaneReport {
    /// Transactions.
    pub transactions: usize,
    /// Gas they used.
    pub gas: u64,
    /// What running them took.
    pub time: Duration,
}

impl StageTimes {
    /// What there is to running in lanes, apart from telling beforehand what transactions touch.
    pub(super) fn in_lanes(&self) -> Duration {
        let Self { predict: _, partition, execute, check, merge, sequential: _ } = *self;
        partition + execute + check + merge
    }
}

/// What the stages of a slice took, on the wall.
#[derive(Clone, Copy, Debug, Default)]
pub struct StageTimes {
    /// Telling what each transaction will touch.
    pub predict: Duration,
    /// Finding out which may depend on each other.
    pub partition: Duration,
    /// Running lanes.
    pub execute: Duration,
    /// Comparing what lanes touched.
    pub check: Duration,
    /// Putting together what they changed.
    pub merge: Duration,
    /// Running transactions one after the other.
    pub sequential: Duration,
}
