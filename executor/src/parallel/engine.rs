//! The engine: threads, counters and the memory that one block leaves to the next.

use std::sync::Mutex;

use super::{
    backoff::{LaneBackoff, SpeculationBudget},
    config::{EngineConfig, Mode},
    counters::{Counters, EngineCounters},
    lock::lock,
    workers::Workers,
};
use crate::{Workspace, block_state::Tables, keccak::KeccakMemo};

/// Executes blocks one after the other, each on as many threads as its size justifies.
///
/// # Example
///
/// ```
/// use turnpike_executor::{Chain, Engine, EngineConfig};
/// use turnpike_protocol::{BlockInput, Genesis, Origin};
///
/// let mut chain = Chain::from_genesis(&Genesis::dev());
/// chain.set_engine(Engine::new(EngineConfig::default()));
///
/// let origin = Origin { l1_time: 1_800_000_000, ..Origin::default() };
/// let input = BlockInput {
///     number: 1,
///     time_ms: 1_000 * (origin.l1_time + 1),
///     origin,
///     deposits: Vec::new(),
///     transactions: Vec::new(),
/// };
/// let outcome = chain.execute(&input)?;
/// assert_eq!(outcome.header.number, 1);
/// assert_eq!(chain.head().hash(), outcome.hash());
/// assert_eq!(chain.engine().counters().slices, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Engine {
    pub(super) config: EngineConfig,
    pub(super) mode: Mutex<Mode>,
    pub(super) workers: Workers,
    /// Threads that compute roots while the next block runs. They are separate, because `workers`
    /// may be waiting for the roots.
    pub(super) root_workers: Workers,
    /// The calling thread only.
    pub(super) alone: Workers,
    pub(super) counters: Counters,
    /// Decides when to plan lanes again.
    pub(super) backoff: Mutex<LaneBackoff>,
    /// Limits the number of speculative runs.
    pub(super) speculation_budget: Mutex<SpeculationBudget>,
    /// Memory that one block leaves to the next.
    pub(super) memory: Mutex<EngineMemory>,
}

/// Memory that one block leaves to the next.
#[derive(Debug, Default)]
pub(super) struct EngineMemory {
    pub(super) block: Workspace,
    /// The reference executor's, in shadow mode.
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
    /// Creates an engine. Its threads start on first use.
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

    /// Maximum number of threads per block.
    pub const fn workers(&self) -> usize {
        self.workers.count()
    }

    /// The threads that execute blocks. `None` with a single worker.
    pub(crate) fn pool(&self) -> Option<&rayon::ThreadPool> {
        self.workers.pool()
    }

    /// The threads that compute roots while the next block may run. `None` with a single worker.
    pub(crate) fn root_pool(&self) -> Option<&rayon::ThreadPool> {
        self.root_workers.pool()
    }

    /// The mode of blocks opened from now on.
    pub fn mode(&self) -> Mode {
        *lock(&self.mode)
    }

    /// Sets the mode of blocks opened from now on.
    pub fn set_mode(&self, mode: Mode) {
        *lock(&self.mode) = mode;
    }

    /// The counters so far.
    pub fn counters(&self) -> EngineCounters {
        self.counters.read()
    }
}
