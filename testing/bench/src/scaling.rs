//! Estimates the time on more processors than the machine has, from the engine's report.

use std::time::Duration;

use turnpike_executor::SliceReport;

use crate::implementation::BlockRun;

/// Estimates the time of a block if each worker had a processor. Work outside of lanes keeps its
/// time; lanes take an equal share for each worker, or as long as the longest lane if that is more.
/// The run must have had `workers` workers, and so as many lanes, on `processors` processors.
pub(crate) fn computed(run: &BlockRun, workers: usize, processors: usize) -> Duration {
    let lanes = run.slices.iter().map(|slice| {
        let work = work(slice, processors);
        let shared = work.as_secs_f64() / workers as f64;
        Duration::from_secs_f64(shared.max(work.as_secs_f64() * longest(slice)))
    });
    serial(run) + lanes.sum::<Duration>()
}

/// Time outside of lanes, assumed to be the work of one processor.
pub(crate) fn serial(run: &BlockRun) -> Duration {
    run.time.wall.saturating_sub(run.slices.iter().map(|slice| slice.times.execute).sum())
}

/// Work in the lanes of a slice, as time on one processor. With fewer processors than workers,
/// lanes wait for processors: the work is at most what the processors can do in that time.
pub(crate) fn work(slice: &SliceReport, processors: usize) -> Duration {
    let processors = u32::try_from(processors).unwrap_or(u32::MAX);
    lanes(slice).min(slice.times.execute.saturating_mul(processors))
}

/// Share of the longest lane in a slice's lanes.
fn longest(slice: &SliceReport) -> f64 {
    let longest = slice.lanes.iter().map(|lane| lane.time).max().unwrap_or_default();
    let all = lanes(slice);
    if all.is_zero() { 0.0 } else { longest.as_secs_f64() / all.as_secs_f64() }
}

/// Time of a slice's lanes, waiting included.
fn lanes(slice: &SliceReport) -> Duration {
    slice.lanes.iter().map(|lane| lane.time).sum()
}

#[cfg(test)]
mod tests {
    use turnpike_executor::{LaneReport, StageTimes};

    use super::*;
    use crate::clock::Time;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// A run of 100 ms with `execute` ms in lanes of these lengths.
    fn run(execute: u64, lanes: &[u64]) -> BlockRun {
        let lanes =
            lanes.iter().map(|time| LaneReport { time: ms(*time), ..LaneReport::default() });
        let times = StageTimes { execute: ms(execute), ..StageTimes::default() };
        let slice = SliceReport { lanes: lanes.collect(), times, ..SliceReport::default() };
        let time = Time { wall: ms(100), ..Time::default() };
        BlockRun { time, slices: vec![slice], ..BlockRun::default() }
    }

    #[test]
    fn workers_share_lanes_and_not_the_rest() {
        let run = run(40, &[20; 4]);
        assert_eq!(serial(&run), ms(60));
        assert_eq!(computed(&run, 1, 2), ms(60 + 80));
        assert_eq!(computed(&run, 2, 2), ms(60 + 40));
        assert_eq!(computed(&run, 4, 2), ms(60 + 20));
        assert_eq!(computed(&run, 16, 2), ms(60 + 20), "no shorter than a lane");
    }

    #[test]
    fn longest_lane_bounds_the_time() {
        assert_eq!(computed(&run(60, &[60, 20]), 8, 2), ms(40 + 60));
    }

    #[test]
    fn waiting_for_a_processor_is_not_work() {
        // Four lanes share one processor, so each takes as long as all of them together.
        let run = run(80, &[80; 4]);
        assert_eq!(computed(&run, 4, 1), ms(20 + 20));
    }

    #[test]
    fn without_lanes_workers_make_no_difference() {
        let run = BlockRun { time: Time { wall: ms(7), ..Time::default() }, ..BlockRun::default() };
        assert_eq!(computed(&run, 16, 2), ms(7));
    }
}
