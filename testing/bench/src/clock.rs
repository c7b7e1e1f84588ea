//! Measures wall and processor time.

use std::time::{Duration, Instant};

use rayon::ThreadPool;
use rustix::time::{ClockId, clock_gettime};

/// Duration of a piece of work.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Time {
    /// Wall time.
    pub(crate) wall: Duration,
    /// Processor time: of all threads together, or on the critical path ([`critical_path`]).
    pub(crate) cpu: Duration,
}

impl Time {
    /// The medians of wall and of processor time.
    pub(crate) fn median(times: &[Self]) -> Self {
        let of = |part: fn(&Self) -> Duration| median(times.iter().map(part).collect());
        Self { wall: of(|time| time.wall), cpu: of(|time| time.cpu) }
    }

    /// The least wall and the least processor time.
    pub(crate) fn fastest(times: &[Self]) -> Self {
        let of = |part: fn(&Self) -> Duration| times.iter().map(part).min().unwrap_or_default();
        Self { wall: of(|time| time.wall), cpu: of(|time| time.cpu) }
    }

    /// Sums of several pieces of work, round by round.
    pub(crate) fn sums(pieces: &[Vec<Self>]) -> Vec<Self> {
        let rounds = pieces.first().map_or(0, Vec::len);
        let sum = |part: fn(&Self) -> Duration, round: usize| {
            pieces.iter().map(|times| part(&times[round])).sum()
        };
        let of_round =
            |round| Self { wall: sum(|time| time.wall, round), cpu: sum(|time| time.cpu, round) };
        (0..rounds).map(of_round).collect()
    }

    /// Subtracts a part that was measured separately.
    pub(crate) fn without(self, part: Self) -> Self {
        Self { wall: self.wall.saturating_sub(part.wall), cpu: self.cpu.saturating_sub(part.cpu) }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let middle = times.len() / 2;
    if times.len() % 2 == 1 { times[middle] } else { (times[middle - 1] + times[middle]) / 2 }
}

#[cfg(feature = "prove")]
impl std::ops::AddAssign for Time {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

/// A running measurement.
#[derive(Debug)]
pub(crate) struct Clock {
    wall: Instant,
    cpu: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { cpu: processors(), wall: Instant::now() }
    }

    pub(crate) fn stop(self) -> Time {
        let wall = self.wall.elapsed();
        Time { wall, cpu: processors().saturating_sub(self.cpu) }
    }
}

/// Processor time of all threads of this process.
fn processors() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

/// Measures `work` on its critical path: processor time of the calling thread plus that of the
/// busiest thread of the pool. Neither other load on the machine nor the number of threads counts.
pub(crate) fn critical_path<T>(pool: Option<&ThreadPool>, work: impl FnOnce() -> T) -> (T, Time) {
    let workers = || pool.map_or_else(Vec::new, |pool| pool.broadcast(|_| this_thread()));
    let (before, own) = (workers(), this_thread());
    let start = Instant::now();
    let result = work();
    let wall = start.elapsed();
    let own = this_thread().saturating_sub(own);
    let busy = before.iter().zip(workers()).map(|(before, after)| after.saturating_sub(*before));
    (result, Time { wall, cpu: own + busy.max().unwrap_or_default() })
}

/// Processor time of the calling thread.
fn this_thread() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
