/// How many transactions may run by themselves first: all, as long as most of them need not run again.
#[derive(Debug, Default)]
pub(super) struct SpeculationBudget {
    is_lost: bool,
}

/// Of so many transactions, one may run by itself first where that was mostly for nothing before: to learn from it.
const SPECULATED_PART: usize = 8;

impl SpeculationBudget {
    /// How many of so many transactions, or so much of some gas, may be run beforehand.
    pub(super) const fn part(&self) -> usize {
        if self.is_lost { SPECULATED_PART } else { 1 }
    }

    /// Takes note of what came of runs beforehand.
    pub(super) fn note(&mut self, runs: usize, reused: usize) {
        if runs > 0 {
            self.is_lost = 2 * reused < runs;
        }
    }
}

/// Strides, at most.
const STRIDE_MAX: usize = 1 << 18;

/// How many transactions to run one after the other before lanes are thought of again: more each time that they were not
/// worth it, so that thinking costs little where it does not help.
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

    /// How many of so many transactions are to run one after the other.
    pub(super) fn take(&mut self, len: usize) -> usize {
        let completed = self.rest.min(len);
        self.rest -= completed;
        completed
    }

    pub(super) fn was_worth_it(&mut self) {
        *self = Self::new(self.first_stride);
    }

    pub(super) fn was_not_worth_it(&mut self) {
        self.rest = self.stride;
        self.stride = (2 * self.stride).min(STRIDE_MAX);
    }
}
