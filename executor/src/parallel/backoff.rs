//! Decides when to try lanes and speculative runs again after they did not pay off.

/// Limits speculative runs. While at least half of them are reused, every transaction may run
/// speculatively.
#[derive(Debug, Default)]
pub(super) struct SpeculationBudget {
    is_lost: bool,
}

/// If most runs were wasted, one of this many transactions may still run speculatively, so that the
/// engine notices a change.
const SPECULATED_PART: usize = 8;

impl SpeculationBudget {
    /// The divisor for transactions and gas: one of this many may run speculatively.
    pub(super) const fn part(&self) -> usize {
        if self.is_lost { SPECULATED_PART } else { 1 }
    }

    /// Records how many speculative runs were reused.
    pub(super) fn note(&mut self, runs: usize, reused: usize) {
        if runs > 0 {
            self.is_lost = 2 * reused < runs;
        }
    }
}

/// Longest stretch of sequential transactions between two attempts.
const STRIDE_MAX: usize = 1 << 18;

/// Exponential backoff for lanes. Each time that lanes did not pay off, twice as many transactions
/// run sequentially before the engine plans lanes again.
#[derive(Debug)]
pub(super) struct LaneBackoff {
    rest: usize,
    stride: usize,
    first_stride: usize,
}

impl LaneBackoff {
    pub(super) const fn new(stride: usize) -> Self {
        Self { rest: 0, stride, first_stride: stride }
    }

    /// Returns how many of the next `len` transactions must run sequentially.
    pub(super) fn take(&mut self, len: usize) -> usize {
        let completed = self.rest.min(len);
        self.rest -= completed;
        completed
    }

    pub(super) fn lanes_paid(&mut self) {
        *self = Self::new(self.first_stride);
    }

    pub(super) fn lanes_did_not_pay(&mut self) {
        self.rest = self.stride;
        self.stride = (2 * self.stride).min(STRIDE_MAX);
    }
}
