use std::{num::NonZeroUsize, thread::available_parallelism};

/// How blocks run. The outcome is the same in every mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// One transaction after the other, on the calling thread: the oracle.
    Sequential,
    /// Both ways, compared; what counts is the oracle's outcome.
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
    /// Transactions that are likely to cost less, in gas, run on the calling thread.
    pub threads_from: u64,
}

/// Where threads begin to pay.
const THREADS_FROM: u64 = 2_000_000;

impl Default for EngineConfig {
    /// In lanes, on all processors.
    fn default() -> Self {
        let workers = available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { mode: Mode::default(), workers, threads_from: THREADS_FROM }
    }
}
