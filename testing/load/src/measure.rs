//! Computes latencies, rates and time series from records.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{drive::AcceptedRecord, plan::SECOND};

/// Latencies above this count as this, in microseconds.
const LATENCY_MAX_US: u64 = 3_600_000_000;

/// Each bar of a latency plot ends at this multiple of the previous one.
const BAR_FACTOR: f64 = 1.25;

/// End of the first bar, in microseconds.
const BAR_FIRST_US: f64 = 100.0;

/// Percentiles in the plot.
const PERCENTILES: [f64; 14] =
    [1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 99.99, 100.0];

/// With fewer records, the rate covers the whole run instead of its middle.
const WINDOW_RECORDS_MIN: usize = 50;

/// A distribution of latencies.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Latency {
    /// Number of values.
    pub(crate) count: u64,
    pub(crate) mean_ms: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
    /// Pairs of percentile and milliseconds.
    pub(crate) percentiles: Vec<(f64, f64)>,
    /// Bars: upper end in milliseconds, and count.
    pub(crate) bars: Vec<(f64, u64)>,
}

impl Latency {
    /// The distribution of these times in nanoseconds.
    pub(crate) fn of(times: impl Iterator<Item = u64>) -> Self {
        let histogram = Histogram::<u64>::new_with_bounds(1, LATENCY_MAX_US, 3);
        let mut histogram = histogram.expect("invariant: the bounds are right");
        for time in times {
            histogram.saturating_record((time / 1_000).max(1));
        }
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |percentile| histogram.value_at_percentile(percentile) as f64 / 1_000.0;
        Self {
            count: histogram.len(),
            mean_ms: histogram.mean() / 1_000.0,
            p50_ms: at(50.0),
            p90_ms: at(90.0),
            p99_ms: at(99.0),
            p999_ms: at(99.9),
            max_ms: histogram.max() as f64 / 1_000.0,
            percentiles: PERCENTILES.map(|percentile| (percentile, at(percentile))).to_vec(),
            bars: bars(&histogram),
        }
    }
}

/// The bars from the first to the last that is not empty. Each value counts in one bar.
fn bars(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    let (mut bars, mut end, mut count) = (Vec::new(), BAR_FIRST_US, 0);
    for value in histogram.iter_recorded() {
        while value.value_iterated_to() as f64 > end {
            if count > 0 || !bars.is_empty() {
                bars.push((end / 1_000.0, count));
            }
            (end, count) = (end * BAR_FACTOR, 0);
        }
        count += value.count_at_value();
    }
    bars.push((end / 1_000.0, count));
    bars
}

/// A second of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Second {
    /// Transactions acknowledged.
    pub(crate) accepted: u64,
    /// Transactions seen in blocks.
    pub(crate) mined: u64,
    /// Answers with an error.
    pub(crate) errors: u64,
    /// Latency of the transactions acknowledged.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Transactions per second over the middle four fifths of a run, given the time of each.
pub(crate) fn steady_rate(mut times: Vec<u64>) -> f64 {
    times.sort_unstable();
    let count = times.len();
    let (from, to) =
        if count < WINDOW_RECORDS_MIN { (0, count) } else { (count / 10, count - count / 10) };
    match times.get(from..to) {
        Some([first, .., last]) if last > first => {
            (to - from - 1) as f64 * SECOND as f64 / (last - first) as f64
        }
        _ => 0.0,
    }
}

/// When each head was seen first: nanoseconds after the start and the head, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockTimes(Vec<(u64, u64)>);

impl BlockTimes {
    pub(crate) const fn new(heads: Vec<(u64, u64)>) -> Self {
        Self(heads)
    }

    /// When a block was seen; `None` if it was not.
    pub(crate) fn seen(&self, block: u64) -> Option<u64> {
        let at = self.0.partition_point(|(_, head)| *head < block);
        self.0.get(at).map(|(time, _)| *time)
    }
}

/// The run, second by second.
pub(crate) fn series(records: &[AcceptedRecord], mined: &[u64], errors: &[u64]) -> Vec<Second> {
    let second = |time: u64| usize::try_from(time / SECOND).expect("invariant: runs end");
    let times = records.iter().map(|record| record.acknowledged).chain(mined.iter().copied());
    let Some(end) = times.chain(errors.iter().copied()).max() else { return Vec::new() };
    let mut seconds = vec![Second::default(); second(end) + 1];
    let mut latencies = vec![Vec::new(); seconds.len()];
    for record in records {
        seconds[second(record.acknowledged)].accepted += 1;
        latencies[second(record.acknowledged)].push(record.acknowledged - record.due);
    }
    mined.iter().for_each(|time| seconds[second(*time)].mined += 1);
    errors.iter().for_each(|time| seconds[second(*time)].errors += 1);
    for (second, latencies) in seconds.iter_mut().zip(latencies) {
        let latency = Latency::of(latencies.into_iter());
        (second.p50_ms, second.p99_ms) = (latency.p50_ms, latency.p99_ms);
    }
    seconds
}

/// Microseconds per item.
pub(crate) fn each_us(time: Duration, count: u64) -> f64 {
    if count == 0 { 0.0 } else { time.as_secs_f64() * 1e6 / count as f64 }
}

/// `ours` as a multiple of `theirs`; `None` if that is zero.
pub(crate) fn ratio(ours: f64, theirs: f64) -> Option<f64> {
    (theirs > 0.0).then(|| ours / theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn record(due: u64, acknowledged: u64) -> AcceptedRecord {
        AcceptedRecord { index: 0, due, sent: due + MS, acknowledged }
    }

    #[test]
    fn percentiles_match_the_times() {
        let latency = Latency::of((1..=1_000).map(|n| n * MS));
        let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.002;
        assert!(near(latency.p50_ms, 500.0) && near(latency.p90_ms, 900.0), "{latency:?}");
        assert!(near(latency.p99_ms, 990.0) && near(latency.p999_ms, 999.0), "{latency:?}");
        assert!(near(latency.max_ms, 1_000.0) && near(latency.mean_ms, 500.5));
        assert_eq!(latency.count, 1_000);
    }

    #[test]
    fn bars_start_at_the_first_value_and_rise() {
        let latency = Latency::of([5 * MS, 5 * MS, 50 * MS].into_iter());
        let (first, last) = (latency.bars[0], latency.bars[latency.bars.len() - 1]);
        assert_eq!((first.1, last.1), (2, 1));
        let many = Latency::of((1..5_000).map(|n| n * 777_777));
        assert_eq!(many.bars.iter().map(|(_, count)| count).sum::<u64>(), many.count);
        assert!(first.0 >= 5.0 && last.0 >= 50.0);
        assert!(latency.bars.is_sorted_by_key(|(end, _)| *end));
    }

    #[test]
    fn no_values_give_an_empty_distribution() {
        assert_eq!(Latency::of(std::iter::empty()).count, 0);
    }

    #[test]
    fn rate_ignores_start_and_end() {
        // A thousand a second, and a second of silence at each end.
        let mut times: Vec<_> = (0..1_000).map(|n| 2 * SECOND + n * MS).collect();
        times.push(0);
        times.push(5 * SECOND);
        assert!((steady_rate(times) - 1_000.0).abs() < 5.0);
        assert_eq!(steady_rate(vec![]), 0.0);
        assert_eq!(steady_rate(vec![7]), 0.0);
    }

    #[test]
    fn block_is_seen_with_the_first_head_at_or_above_it() {
        let times = BlockTimes::new(vec![(10, 3), (20, 5)]);
        assert_eq!(
            [2, 3, 4, 5, 6].map(|block| times.seen(block)),
            [Some(10), Some(10), Some(20), Some(20), None]
        );
    }

    #[test]
    fn series_counts_events_by_second() {
        let records = [record(0, 500 * MS), record(900 * MS, 1_100 * MS)];
        let seconds = series(&records, &[1_200 * MS, 2_100 * MS], &[MS]);
        let counts: Vec<_> = seconds.iter().map(|s| (s.accepted, s.mined, s.errors)).collect();
        assert_eq!(counts, [(1, 0, 1), (1, 1, 0), (0, 1, 0)]);
        assert!((seconds[1].p50_ms - 200.0).abs() < 1.0);
        assert!(series(&[], &[], &[]).is_empty());
    }

    #[test]
    fn ratio_to_zero_is_none() {
        assert_eq!(ratio(10.0, 4.0), Some(2.5));
        assert_eq!(ratio(10.0, 0.0), None);
    }
}
