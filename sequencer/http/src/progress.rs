use std::time::Duration;

use tokio::time::Instant;

/// Whether the other side keeps up: for how long it may be waited for, when so many bytes a second are expected of it.
///
/// Time that is spent waiting uses up the timeouts, and bytes that come of it give it back.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProgressTimer {
    timeouts: Duration,
    bytes_per_second: u32,
    used: Duration,
    waits_since: Option<Instant>,
}

impl ProgressTimer {
    pub(super) const fn new(timeouts: Duration, bytes_per_second: u32) -> Self {
        Self { timeouts, bytes_per_second, used: Duration::ZERO, waits_since: None }
    }

    /// It is waited for; until when.
    pub(super) fn wait(&mut self, now: Instant) -> Instant {
        *self.waits_since.get_or_insert(now) + self.timeouts.saturating_sub(self.used)
    }

    /// Whether it is waited for now.
    pub(super) const fn is_waiting(&self) -> bool {
        self.waits_since.is_some()
    }

    /// So much went through.
    pub(super) fn moved(&mut self, now: Instant, bytes: usize) {
        if let Some(since) = self.waits_since.take() {
            self.used += now.saturating_duration_since(since);
        }
        let expected = Duration::from_secs_f64(bytes as f64 / f64::from(self.bytes_per_second));
        self.used = self.used.saturating_sub(expected);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn whoever_keeps_up_may_take_for_ever() {
        let (mut pace, start) = (ProgressTimer::new(seconds(10), 100), Instant::now());
        for second in 0..1_000 {
            assert_eq!(pace.wait(start + seconds(second)), start + seconds(second + 10));
            pace.moved(start + seconds(second + 1), 100);
        }
    }

    #[test]
    fn whoever_does_not_uses_up_the_patience() {
        let (mut pace, start) = (ProgressTimer::new(seconds(10), 100), Instant::now());
        assert_eq!(pace.wait(start), start + seconds(10));
        // Asked again, it still waits since then.
        assert_eq!(pace.wait(start + seconds(3)), start + seconds(10));
        pace.moved(start + seconds(4), 1);
        let left = pace.wait(start + seconds(4)) - start;
        assert_eq!(left, seconds(10) + Duration::from_millis(10));
        // Time in which nothing was expected does not count.
        pace.moved(start + seconds(5), 0);
        assert_eq!(
            pace.wait(start + seconds(100)) - start,
            seconds(105) + Duration::from_millis(10)
        );
    }
}
