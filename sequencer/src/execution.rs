//! Statistics about a block's execution.

use std::time::Duration;

use serde::Serialize;
use turnpike_executor::{SliceReport, StageTimes};

/// Statistics of a block's execution, summed over its slices. In shadow mode they describe the
/// lanes, whose result is discarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockExecution {
    /// Number of the block.
    pub number: u64,
    /// Number of its slices.
    pub slices: usize,
    /// Executed deposits and transactions, skipped ones included.
    pub transactions: usize,
    /// Transactions that ran in lanes. The others ran in order.
    pub in_lanes: usize,
    /// Number of lanes.
    pub lanes: usize,
    /// Transactions in the largest lane.
    pub largest_lane_transactions: usize,
    /// Lanes that conflicted and ran again.
    #[serde(rename = "escapes")]
    pub conflicts: usize,
    /// Rounds until no lane conflicted.
    pub rounds: usize,
    /// Duration of the stages.
    pub stage_microseconds: StageMicroseconds,
}

/// Wall-clock duration of a block's stages, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StageMicroseconds {
    /// Predicting what each transaction will touch.
    pub predict: u64,
    /// Assigning transactions to lanes.
    pub partition: u64,
    /// Running lanes.
    pub execute: u64,
    /// Comparing what lanes touched.
    pub check: u64,
    /// Merging what lanes changed.
    pub merge: u64,
    /// Running transactions one after the other.
    pub sequential: u64,
}

impl BlockExecution {
    /// Sums up the slices of block `number`.
    pub fn new(number: u64, slices: &[SliceReport]) -> Self {
        let mut sum = Self { number, slices: slices.len(), ..Self::default() };
        let mut times = StageTimes::default();
        for slice in slices {
            sum.transactions += slice.transactions;
            sum.in_lanes += slice.in_lanes;
            sum.lanes += slice.lanes.len();
            let largest = slice.lanes.iter().map(|lane| lane.transactions).max().unwrap_or(0);
            sum.largest_lane_transactions = sum.largest_lane_transactions.max(largest);
            sum.conflicts += slice.conflicts;
            sum.rounds += slice.rounds;
            times.predict += slice.times.predict;
            times.partition += slice.times.partition;
            times.execute += slice.times.execute;
            times.check += slice.times.check;
            times.merge += slice.times.merge;
            times.sequential += slice.times.sequential;
        }
        sum.stage_microseconds = times.into();
        sum
    }
}

impl From<StageTimes> for StageMicroseconds {
    fn from(times: StageTimes) -> Self {
        let StageTimes { predict, partition, execute, check, merge, sequential } = times;
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self {
            predict: micros(predict),
            partition: micros(partition),
            execute: micros(execute),
            check: micros(check),
            merge: micros(merge),
            sequential: micros(sequential),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use turnpike_executor::LaneReport;

    use super::*;

    #[test]
    fn slice_reports_are_summed() {
        let lane = |transactions| LaneReport { transactions, ..LaneReport::default() };
        let in_lanes = SliceReport {
            transactions: 9,
            in_lanes: 8,
            lanes: vec![lane(5), lane(3)],
            conflicts: 2,
            rounds: 3,
            times: StageTimes {
                // Fractions of a microsecond add up.
                execute: Duration::from_nanos(1_600),
                merge: Duration::from_micros(7),
                ..StageTimes::default()
            },
            ..SliceReport::default()
        };
        let in_order = SliceReport {
            transactions: 1,
            times: StageTimes {
                execute: Duration::from_nanos(400),
                sequential: Duration::from_millis(2),
                ..StageTimes::default()
            },
            ..SliceReport::default()
        };
        let sum = BlockExecution::new(4, &[in_order.clone(), in_lanes, in_order]);
        let expected = json!({
            "number": 4,
            "slices": 3,
            "transactions": 11,
            "inLanes": 8,
            "lanes": 2,
            "largestLaneTransactions": 5,
            "escapes": 2,
            "rounds": 3,
            "stageMicroseconds": {
                "predict": 0,
                "partition": 0,
                "execute": 2,
                "check": 0,
                "merge": 7,
                "sequential": 4_000,
            },
        });
        assert_eq!(serde_json::to_value(sum).expect("is JSON"), expected);
    }
}
