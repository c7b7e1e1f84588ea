//! The engine: its threads, counters and the memory that one block leaves to the next.

use std::sync::Mutex;

use super::{
    backoff::{LaneBackoff, SpeculationBudget},
    config::{EngineConfig, Mode},
    counters::{Counters, EngineCounters},
    lock::lock,
    workers::Workers,
};
use crate::{Workspace, block_state::Tables, keccak::KeccakMemo};

/// Executes blocks, one after the other, on as many threads as pay.
#[derive(Debug)]
pub struct Engine {
    pub(super) config: EngineConfig,
    pub(super) mode: Mutex<Mode>,
    pub(super) workers: Workers,
    /// Threads that compute roots beside a block that runs: those above may be waiting for the roots.
    pub(super) root_workers: Workers,
    /// The calling thread.
    pub(super) alone: Workers,
    pub(super) counters: Counters,
    /// When lanes are thought of again.
    pub(super) backoff: Mutex<LaneBackoff>,
    /// Whether runs beforehand are worth it.
    pub(super) speculation_budget: Mutex<SpeculationBudget>,
    /// What blocks leave for the next.
    pub(super) memory: Mutex<EngineMemory>,
}

/// Memory that is used again.
#[derive(Debug, Default)]
pub(super) struct EngineMemory {
    pub(super) block: Workspace,
    /// Of the reference executor, in shadow mode.
    pub(super) reference: Workspace,
    pub(super) lanes: Vec<Tables>,
    pub(super) memos: Vec<KeccakMemo>,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new(EngineConfig::default())
    }
}

impl Engine {
    /// An engine with its own threads, which start when they are first needed.
    pub fn new(config: EngineConfig) -> Self {
        let workers = config.workers.get().min(EngineConfig::WORKERS_MAX);
        Self {
            config,
            mode: Mutex::new(config.mode),
            workers: Workers::new(workers),
            root_workers: Workers::new(workers),
            alone: Workers::new(1),
            counters: Counters::default(),
            backoff: Mutex::new(LaneBackoff::new(config.grain.stride)),
            speculation_budget: Mutex::default(),
            memory: Mutex::default(),
        }
    }

    /// The most threads that a block runs on.
    pub const fn workers(&self) -> usize {
        self.workers.count()
    }

    /// The threads that blocks run on, if there are several.
    pub(crate) fn pool(&self) -> Option<&rayon::ThreadPool> {
        self.workers.pool()
    }

    /// The threads that roots are computed on while the next block may run, if there are several.
    pub(crate) fn root_pool(&self) -> Option<&rayon::ThreadPool> {
        self.root_workers.pool()
    }

    /// How blocks run.
    pub fn mode(&self) -> Mode {
        *lock(&self.mode)
    }

    /// Chooses how blocks run that are opened from now on.
    pub fn set_mode(&self, mode: Mode) {
        *lock(&self.mode) = mode;
    }

    /// What happened so far.
    pub fn counters(&self) -> EngineCounters {
        self.counters.read()
    }
}
