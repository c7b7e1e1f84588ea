use std::{num::NonZeroUsize, thread::available_parallelism};

use serde::Serialize;

/// How blocks run. The outcome is the same in every mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One transaction after the other, on the calling thread: the reference executor.
    Sequential,
    /// Both ways, compared; what counts is the reference executor's outcome.
    Shadow,
    /// In lanes, side by side.
    #[default]
    Parallel,
}

/// What an engine is told.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// How blocks run at first.
    pub mode: Mode,
    /// The most threads that a block runs on.
    pub workers: NonZeroUsize,
    /// What is not worth a thread, or a lane.
    pub grain: Grain,
}

impl EngineConfig {
    /// Workers, at most: more are not started.
    pub const WORKERS_MAX: usize = 256;
}

/// How small the pieces are that work is cut into. Affects no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grain {
    /// Transactions that are likely to cost less together, in gas, run on the calling thread.
    pub threads_from: u64,
    /// Components that are likely to cost less share a lane, up to so much.
    pub lane_from: u64,
    /// Transactions that are looked at together, at least.
    pub chunk_transactions: usize,
    /// Fewer transactions run on the calling thread.
    pub transactions_from: usize,
    /// Lanes are used if, at best, they take so many percent of the time that one of them would.
    pub time_percent_max: u32,
    /// Transactions that run one after the other before lanes are thought of again, where they were not worth it; twice
    /// as many each time.
    pub stride: usize,
}

impl Grain {
    /// Everything is cut up, however little it is: for tests.
    pub const FINEST: Self = Self {
        threads_from: 0,
        lane_from: 1,
        chunk_transactions: 1,
        transactions_from: 2,
        time_percent_max: 100,
        stride: 0,
    };

    pub(super) fn time_max(&self) -> f64 {
        f64::from(self.time_percent_max) / 100.0
    }
}

impl Default for Grain {
    /// Where it begins to pay, as measured.
    fn default() -> Self {
        Self {
            threads_from: 2_000_000,
            lane_from: 1_000_000,
            chunk_transactions: 64,
            transactions_from: 16,
            time_percent_max: 85,
            stride: 4_096,
        }
    }
}

impl Default for EngineConfig {
    /// In lanes, on all processors.
    fn default() -> Self {
        let workers = available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { mode: Mode::default(), workers, grain: Grain::default() }
    }
}
