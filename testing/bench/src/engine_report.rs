//! Summary of how the parallel engine ran a workload.

use std::{fmt, time::Duration};

use serde::Serialize;
use turnpike_executor::{LaneReport, SliceReport, StageTimes};

use crate::{
    implementation::BlockRun,
    scaling::{serial, work},
};

/// How the parallel engine ran a workload. Counts are means over the rounds; shares are between 0
/// and 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EngineReport {
    /// Number of lanes.
    pub lanes: f64,
    /// Share of the transactions that ran in lanes.
    pub in_lanes: f64,
    /// Share of the lanes' gas that the largest lane of each slice used.
    pub largest_lane: f64,
    /// Lanes that conflicted with another lane and ran again.
    pub escapes: f64,
    /// Rounds of lanes until none conflicted, summed over slices.
    pub rounds: f64,
    /// Share of the work of all processors that is done outside of lanes.
    pub serial: f64,
    /// Shares of wall time by stage.
    pub stages: StageShares,
}

/// Share of wall time of each stage.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StageShares {
    /// Predicting what each transaction will touch.
    pub predict: f64,
    /// Partitioning dependent transactions into lanes.
    pub partition: f64,
    /// Running lanes.
    pub execute: f64,
    /// Checking lanes for conflicts.
    pub check: f64,
    /// Merging the changes of lanes.
    pub merge: f64,
    /// Running transactions sequentially.
    pub sequential: f64,
    /// Everything else: opening and finishing blocks.
    pub other: f64,
}

impl EngineReport {
    /// Summarises runs of blocks over `rounds` rounds on `processors` processors; `None` without
    /// slice reports.
    pub(crate) fn of<'a>(
        runs: impl Iterator<Item = &'a BlockRun> + Clone,
        rounds: usize,
        processors: usize,
    ) -> Option<Self> {
        let slices = runs.clone().flat_map(|run| &run.slices);
        slices.clone().next()?;
        let count = |of: fn(&SliceReport) -> usize| slices.clone().map(of).sum::<usize>() as f64;
        let gas = |of: fn(&SliceReport) -> u64| slices.clone().map(of).sum::<u64>() as f64;
        let serial: Duration = runs.clone().map(serial).sum();
        let work: Duration = slices.clone().map(|slice| work(slice, processors)).sum();
        let wall = runs.map(|run| run.time.wall).sum();
        Some(Self {
            lanes: count(|slice| slice.lanes.len()) / rounds as f64,
            in_lanes: share(count(|slice| slice.in_lanes), count(|slice| slice.transactions)),
            largest_lane: share(
                gas(|slice| lane_gas(slice).max().unwrap_or_default()),
                gas(|slice| lane_gas(slice).sum()),
            ),
            escapes: count(|slice| slice.conflicts) / rounds as f64,
            rounds: count(|slice| slice.rounds) / rounds as f64,
            serial: share(serial.as_secs_f64(), (serial + work).as_secs_f64()),
            stages: StageShares::of(slices.map(|slice| slice.times), wall),
        })
    }
}

impl StageShares {
    fn of(times: impl Iterator<Item = StageTimes> + Clone, wall: Duration) -> Self {
        let of = |stage: fn(&StageTimes) -> Duration| {
            let time: Duration = times.clone().map(|times| stage(&times)).sum();
            share(time.as_secs_f64(), wall.as_secs_f64())
        };
        let mut shares = Self {
            predict: of(|times| times.predict),
            partition: of(|times| times.partition),
            execute: of(|times| times.execute),
            check: of(|times| times.check),
            merge: of(|times| times.merge),
            sequential: of(|times| times.sequential),
            other: 0.0,
        };
        let sum: f64 = shares.named().iter().map(|(_, share)| share).sum();
        shares.other = (1.0 - sum).max(0.0);
        shares
    }

    fn named(&self) -> [(&'static str, f64); 7] {
        let Self { predict, partition, execute, check, merge, sequential, other } = *self;
        [
            ("predict", predict),
            ("partition", partition),
            ("execute", execute),
            ("check", check),
            ("merge", merge),
            ("sequential", sequential),
            ("other", other),
        ]
    }
}

impl fmt::Display for EngineReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lanes, in_lanes, largest_lane, escapes, rounds, serial, stages } = self;
        write!(
            f,
            "{:.0} % in {lanes:.0} lanes, largest {:.1} %; {escapes:.1} conflicts, {rounds:.1} rounds;",
            in_lanes * 100.0,
            largest_lane * 100.0,
        )?;
        for (name, share) in stages.named() {
            write!(f, " {name} {:.1}", share * 100.0)?;
        }
        write!(f, " %; serial {:.1} %", serial * 100.0)
    }
}

fn lane_gas(slice: &SliceReport) -> impl Iterator<Item = u64> {
    slice.lanes.iter().map(|LaneReport { gas, .. }| *gas)
}

/// `part` as a share of `all`; 0 if `all` is 0.
fn share(part: f64, all: f64) -> f64 {
    if all > 0.0 { part / all } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;

    #[test]
    fn shares_are_of_the_whole_and_counts_per_round() {
        let ms = Duration::from_millis;
        let lane = |gas, time| LaneReport { transactions: 2, gas, time: ms(time) };
        let times = StageTimes { predict: ms(10), execute: ms(40), ..StageTimes::default() };
        let lanes = vec![lane(300, 40), lane(100, 20)];
        let slice = SliceReport {
            transactions: 5,
            in_lanes: 4,
            lanes,
            conflicts: 1,
            rounds: 2,
            times,
            ..SliceReport::default()
        };
        let time = Time { wall: ms(80), ..Time::default() };
        let runs = vec![BlockRun { time, slices: vec![slice], ..BlockRun::default() }; 3];
        let report = EngineReport::of(runs.iter(), 3, 2).expect("there are slices");
        let counts = [report.lanes, report.escapes, report.rounds];
        assert_eq!(counts, [2.0, 1.0, 2.0]);
        assert_eq!([report.in_lanes, report.largest_lane], [0.8, 0.75]);
        assert_eq!(report.serial, 0.4, "40 ms of 100");
        let StageShares { predict, execute, other, .. } = report.stages;
        assert_eq!([predict, execute, other], [0.125, 0.5, 0.375]);
        assert_eq!(
            report.to_string(),
            "80 % in 2 lanes, largest 75.0 %; 1.0 conflicts, 2.0 rounds; predict 12.5 partition 0.0 execute 50.0 \
             check 0.0 merge 0.0 sequential 0.0 other 37.5 %; serial 40.0 %"
        );
        let silent = [BlockRun { time, ..BlockRun::default() }];
        assert_eq!(EngineReport::of(silent.iter(), 1, 2), None);
    }
}
