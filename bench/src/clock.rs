use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// What a piece of work took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Time {
    /// On the wall.
    pub(crate) wall: Duration,
    /// On all processors together.
    pub(crate) cpu: Duration,
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

/// Processor time of all of this process's threads.
fn processors() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(now).unwrap_or_default()
}
