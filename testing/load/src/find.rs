/// Throughput must grow by so much, or it does not grow.
const GROWTH: f64 = 1.03;

/// Steps without growth after which the maximum is found: one may be bad luck.
const FLAT_STEPS: u32 = 2;

/// Most transactions in flight that are tried.
const IN_FLIGHT_MAX: u32 = 32_768;

/// Looks for the number in flight beyond which there is no more throughput: twice as many at each step.
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
    /// Requests of so many transactions are sent: fewer in flight would not fill one.
    pub(crate) fn new(batch: u32) -> Self {
        Self { in_flight: batch.max(8), best: None, flat: 0 }
    }

    /// How many are in flight at the next step; `None` if the maximum is found.
    pub(crate) fn next_step(&self) -> Option<u32> {
        (self.flat < FLAT_STEPS && self.in_flight <= IN_FLIGHT_MAX).then_some(self.in_flight)
    }

    /// What that brought.
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
    fn ends_two_steps_after_the_last_growth() {
        let (steps, best) = climb(Ramp::new(1), |n| f64::from(n.min(32)) * 100.0);
        assert_eq!(steps, [8, 16, 32, 64, 128]);
        assert_eq!(best, Some(Best { in_flight: 32, per_second: 3_200.0 }));
    }

    #[test]
    fn one_bad_step_is_not_the_end() {
        let (steps, best) =
            climb(Ramp::new(1), |n| if n == 16 { 1.0 } else { f64::from(n.min(64)) });
        assert_eq!(steps, [8, 16, 32, 64, 128, 256]);
        assert_eq!(best.unwrap().in_flight, 64);
    }

    #[test]
    fn ends_at_some_point_whatever_happens() {
        let (steps, _) = climb(Ramp::new(100), f64::from);
        assert_eq!(steps.last(), Some(&25_600));
        let (steps, best) = climb(Ramp::new(1), |_| 0.0);
        assert_eq!((steps.len(), best), (2, None));
    }
}
