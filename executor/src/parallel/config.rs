//! Configuration of the engine. No setting changes an outcome.

use std::{num::NonZeroUsize, thread::available_parallelism};

use serde::Serialize;

/// How blocks are executed. The outcome is the same in every mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Sequentially on the calling thread, by the reference executor.
    Sequential,
    /// Both by the reference executor and in lanes. Differences are counted, and the reference
    /// executor's outcome is kept.
    Shadow,
    /// In lanes, on several threads.
    #[default]
    Parallel,
}

/// Configuration of an engine.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// Mode at the start.
    pub mode: Mode,
    /// Maximum number of threads per block.
    pub workers: NonZeroUsize,
    /// The smallest amounts of work that justify a thread or a lane.
    pub grain: Grain,
}

impl EngineConfig {
    /// Upper bound of `workers`: the engine starts no more threads.
    pub const WORKERS_MAX: usize = 256;
}

/// The smallest amounts of work that the engine splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grain {
    /// Transactions with a lower expected cost, in gas, run on the calling thread.
    pub threads_from: u64,
    /// Components with a lower expected cost, in gas, share a lane up to this cost.
    pub lane_from: u64,
    /// Minimum number of transactions per chunk.
    pub chunk_transactions: usize,
    /// With fewer transactions, a slice runs on the calling thread.
    pub transactions_from: usize,
    /// Lanes are used if their best-case time is at most this percentage of the sequential time.
    pub time_percent_max: u32,
    /// Number of transactions that run sequentially after lanes did not pay off, before the engine
    /// plans lanes again. It doubles each time.
    pub stride: usize,
}

impl Grain {
    /// Splits everything, however small. For tests.
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
    /// Measured break-even values.
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
