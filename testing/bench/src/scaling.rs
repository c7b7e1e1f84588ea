//! What the engine's own report says of how it would run on more processors than the machine has.

use std::time::Duration;

use turnpike_executor::SliceReport;

use crate::implementation::Run;

/// What a block would have taken if each of so many workers had a processor: whatever does not run in lanes takes what
/// it took, and the lanes as long as an equal share of them or the longest of them, whichever is more. Computed from a
/// run with as many workers, and so as many lanes, on `processors`.
pub(crate) fn computed(run: &Run, workers: usize, processors: usize) -> Duration {
    let lanes = run.slices.iter().map(|slice| {
        let work = work(slice, processors);
        let shared = work.as_secs_f64() / workers as f64;
        Duration::from_secs_f64(shared.max(work.as_secs_f64() * longest(slice)))
    });
    serial(run) + lanes.sum::<Duration>()
}

/// What does not run in lanes, taken to be one processor's work.
pub(crate) fn serial(run: &Run) -> Duration {
    run.time.wall.saturating_sub(run.slices.iter().map(|slice| slice.times.execute).sum())
}

/// What the lanes of a slice take on one processor. Where there are fewer processors than workers, lanes wait for each
/// other: no more work was done than the processors can do.
pub(crate) fn work(slice: &SliceReport, processors: usize) -> Duration {
    let processors = u32::try_from(processors).unwrap_or(u32::MAX);
    lanes(slice).min(slice.times.execute.saturating_mul(processors))
}

/// The part of a slice's lanes that is the longest.
fn longest(slice: &SliceReport) -> f64 {
    let longest = slice.lanes.iter().map(|lane| lane.time).max().unwrap_or_default();
    let all = lanes(slice);
    if all.is_zero() { 0.0 } else { longest.as_secs_f64() / all.as_secs_f64() }
}

/// What the lanes of a slice took, waiting included.
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

    /// A run of 100 ms, whose lanes took this long, all together `execute`.
    fn run(execute: u64, lanes: &[u64]) -> Run {
        let lanes =
            lanes.iter().map(|time| LaneReport { time: ms(*time), ..LaneReport::default() });
        let times = StageTimes { execute: ms(execute), ..StageTimes::default() };
        let slice = SliceReport { lanes: lanes.collect(), times, ..SliceReport::default() };
        let time = Time { wall: ms(100), ..Time::default() };
        Run { time, slices: vec![slice], ..Run::default() }
    }

    #[test]
    fn lanes_share_the_workers_and_the_rest_does_not() {
        let run = run(40, &[20; 4]);
        assert_eq!(serial(&run), ms(60));
        assert_eq!(computed(&run, 1, 2), ms(60 + 80));
        assert_eq!(computed(&run, 2, 2), ms(60 + 40));
        assert_eq!(computed(&run, 4, 2), ms(60 + 20));
        assert_eq!(computed(&run, 16, 2), ms(60 + 20), "no shorter than a lane");
    }

    #[test]
    fn the_longest_lane_bounds_all() {
        assert_eq!(computed(&run(60, &[60, 20]), 8, 2), ms(40 + 60));
    }

    #[test]
    fn lanes_that_waited_for_a_processor_did_not_work() {
        // Four lanes on one processor, each on its way for as long as all of them.
        let run = run(80, &[80; 4]);
        assert_eq!(computed(&run, 4, 1), ms(20 + 20));
    }

    #[test]
    fn without_lanes_workers_change_nothing() {
        let run = Run { time: Time { wall: ms(7), ..Time::default() }, ..Run::default() };
        assert_eq!(computed(&run, 16, 2), ms(7));
    }
}
