//! Searches the number of transactions in flight with the highest throughput.

/// Least growth of throughput that counts as growth.
const GROWTH: f64 = 1.03;

/// The search ends after this many steps without growth: a single one may be noise.
const FLAT_STEPS: u32 = 2;

/// Transactions in flight, at most.
const IN_FLIGHT_MAX: u32 = 32_768;

/// Doubles the number in flight at each step until throughput stops growing.
#[derive(Clone, Debug)]
pub(crate) struct Ramp {
    in_flight: u32,
    best: Option<Best>,
    flat: u32,
}

/// The best step so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Best {
    pub(crate) in_flight: u32,
    pub(crate) per_second: f64,
}

impl Ramp {
    /// Starts with at least `batch` in flight, because fewer would not fill a request.
    pub(crate) fn new(batch: u32) -> Self {
        Self { in_flight: batch.max(8), best: None, flat: 0 }
    }

    /// Number in flight of the next step; `None` when the search is over.
    pub(crate) fn next_step(&self) -> Option<u32> {
        (self.flat < FLAT_STEPS && self.in_flight <= IN_FLIGHT_MAX).then_some(self.in_flight)
    }

    /// Records the throughput of the step.
    pub(crate) fn measured(&mut self, per_second: f64) {
        let before = self.best.map_or(0.0, |best| best.per_second);
        self.flat = if per_second > before * GROWTH { 0 } else { self.flat + 1 };
        if per_second > before {
            self.best = Some(Best { in_flight: self.in_flight, per_second });
        }
        self.in_flight *= 2;
    }

    pub(crate) const fn best(&self) -> Option<Best> {
        self.best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn climb(mut ramp: Ramp, throughput: impl Fn(u32) -> f64) -> (Vec<u32>, Option<Best>) {
        let mut steps = Vec::new();
        while let Some(in_flight) = ramp.next_step() {
            steps.push(in_flight);
            ramp.measured(throughput(in_flight));
        }
        (steps, ramp.best())
    }

    #[test]
    fn search_ends_two_steps_after_the_last_growth() {
        let (steps, best) = climb(Ramp::new(1), |n| f64::from(n.min(32)) * 100.0);
        assert_eq!(steps, [8, 16, 32, 64, 128]);
        assert_eq!(best, Some(Best { in_flight: 32, per_second: 3_200.0 }));
    }

    #[test]
    fn one_slow_step_does_not_end_the_search() {
        let (steps, best) =
            climb(Ramp::new(1), |n| if n == 16 { 1.0 } else { f64::from(n.min(64)) });
        assert_eq!(steps, [8, 16, 32, 64, 128, 256]);
        assert_eq!(best.unwrap().in_flight, 64);
    }

    #[test]
    fn search_always_ends() {
        let (steps, _) = climb(Ramp::new(100), f64::from);
        assert_eq!(steps.last(), Some(&25_600));
        let (steps, best) = climb(Ramp::new(1), |_| 0.0);
        assert_eq!((steps.len(), best), (2, None));
    }
}
