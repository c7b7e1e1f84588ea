//! Progress of a peer that must send or read at a minimum rate.

use std::time::Duration;

use tokio::time::Instant;

/// Measures whether a peer moves the expected bytes per second.
///
/// Waiting for the peer uses up its patience; bytes that it moves restore it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProgressTimer {
    patience: Duration,
    bytes_per_second: u32,
    used: Duration,
    waits_since: Option<Instant>,
}

impl ProgressTimer {
    pub(super) const fn new(patience: Duration, bytes_per_second: u32) -> Self {
        Self { patience, bytes_per_second, used: Duration::ZERO, waits_since: None }
    }

    /// Starts or continues a wait, and returns when it must end.
    pub(super) fn wait(&mut self, now: Instant) -> Instant {
        *self.waits_since.get_or_insert(now) + self.patience.saturating_sub(self.used)
    }

    /// Whether a wait is under way.
    pub(super) const fn is_waiting(&self) -> bool {
        self.waits_since.is_some()
    }

    /// Records moved bytes, which end a wait.
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
    fn steady_peer_never_times_out() {
        let (mut timer, start) = (ProgressTimer::new(seconds(10), 100), Instant::now());
        for second in 0..1_000 {
            assert_eq!(timer.wait(start + seconds(second)), start + seconds(second + 10));
            timer.moved(start + seconds(second + 1), 100);
        }
    }

    #[test]
    fn slow_peer_uses_up_its_patience() {
        let (mut timer, start) = (ProgressTimer::new(seconds(10), 100), Instant::now());
        assert_eq!(timer.wait(start), start + seconds(10));
        // A second call continues the same wait.
        assert_eq!(timer.wait(start + seconds(3)), start + seconds(10));
        timer.moved(start + seconds(4), 1);
        let left = timer.wait(start + seconds(4)) - start;
        assert_eq!(left, seconds(10) + Duration::from_millis(10));
        // Time outside of waits does not count.
        timer.moved(start + seconds(5), 0);
        assert_eq!(
            timer.wait(start + seconds(100)) - start,
            seconds(105) + Duration::from_millis(10)
        );
    }
}
