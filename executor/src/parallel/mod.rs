//! The parallel engine: blocks run in lanes, side by side, and come out as if one transaction had followed the other.
//!
//! ```text
//! slice ─► predict ─► partition ─► execute lanes ─► check ─► merge
//!            what each    who may      each over the     did one    lanes' changes
//!            touches      depend on    state so far      touch what next to each other
//!                         whom                           another    │
//!                                                        changed? ──┘ those run again, together, in order
//! ```
//!
//! The block's own block state is that of the reference executor, [`BlockExecutor`], to which whatever does not fit lanes is sent: what
//! is too little to pay for threads, what all depends on each other, what did not come out clean after a few rounds,
//! what panicked. While lanes run, it is what they start from, and nobody changes it.
//!
//! # Invariants
//!
//! - A prediction decides what runs where and never what comes of it.
//! - No key that one lane changed was looked at by another lane of the same wave.
//! - A wave's transactions ask for no more gas than the block has left, so that none of them is skipped for that.

mod config;
mod conflicts;
mod counters;
mod lane;
mod pace;
mod partition;
mod pending;
mod plan;
mod predict;
mod queue;
mod report;
mod run;
mod speculate;
mod sync;
mod taken;
mod union;
mod wave;
mod workers;
mod writers;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use turnpike_state::StateView;

pub use config::{EngineConfig, Grain, Mode};
pub use counters::EngineCounters;
pub use report::{LaneReport, SliceReport, StageTimes};

use crate::{
    BlockContext, BlockExecutor, BlockHashes, BlockTransaction, BlockTx, ChainSpec, Executed,
    ExecutedTx, ExecutionError, Workspace,
    block_state::{LaneState, Tables},
    keccak::Memo,
};
use counters::Counters;
use pace::{Pace, Trust};
use pending::Pending;
use speculate::Speculation;
use workers::Workers;

/// Executes blocks, one after the other, on as many threads as pay.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    mode: Mutex<Mode>,
    workers: Workers,
    /// Threads that compute roots beside a block that runs: those above may be waiting for the roots.
    root_workers: Workers,
    /// The calling thread.
    alone: Workers,
    counters: Counters,
    /// When lanes are thought of again.
    pace: Mutex<Pace>,
    /// Whether runs beforehand are worth it.
    trust: Mutex<Trust>,
    /// What blocks leave for the next.
    memory: Mutex<Memory>,
}

/// Memory that is used again.
#[derive(Debug, Default)]
struct Memory {
    block: Workspace,
    /// Of the reference executor, in shadow mode.
    reference: Workspace,
    lanes: Vec<Tables>,
    memos: Vec<Memo>,
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
            pace: Mutex::new(Pace::new(config.grain.stride)),
            trust: Mutex::default(),
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

    /// Opens a block on a state, and records its parent's hash where the chain does that (EIP-2935).
    pub fn open<S, T>(
        &self,
        spec: &ChainSpec,
        context: &BlockContext,
        state: S,
    ) -> Result<EngineBlock<'_, S, T>, ExecutionError<S::Error>>
    where
        S: StateView + Copy + Send + Sync,
        T: BlockTransaction + Clone + Send + Sync,
    {
        let mode = self.mode();
        let workspace = std::mem::take(&mut lock(&self.memory).block);
        let main = BlockExecutor::open_in(workspace, spec, context, state)?;
        let reference = match mode {
            Mode::Shadow => {
                let workspace = std::mem::take(&mut lock(&self.memory).reference);
                Some(BlockExecutor::open_in(workspace, spec, context, state)?)
            }
            Mode::Sequential | Mode::Parallel => None,
        };
        Ok(EngineBlock {
            engine: self,
            spec: spec.clone(),
            context: context.clone(),
            state,
            in_lanes: mode != Mode::Sequential && self.workers() > 1,
            main,
            pending: Pending::default(),
            speculations: Vec::new(),
            reference,
            slices: Vec::new(),
            taken: Vec::new(),
            skipped_taken: 0,
            is_same_so_far: true,
        })
    }
}

/// Lanes' memories that are kept for the next block, at most.
const LANES_KEPT_MAX: usize = 1_024;

/// A block under way.
#[allow(missing_debug_implementations)] // revm's EVM has none worth reading
pub struct EngineBlock<'a, S: StateView, T = BlockTx> {
    engine: &'a Engine,
    spec: ChainSpec,
    context: BlockContext,
    state: S,
    /// Whether transactions may run in lanes.
    in_lanes: bool,
    /// The block so far, but for what is pending.
    main: BlockExecutor<S, T>,
    /// Lanes of the last wave, whose changes `main` has not taken over.
    pending: Pending,
    /// Runs by themselves of transactions of the slice that have not had their turn.
    speculations: Vec<Speculation>,
    /// In shadow mode, the same block by the reference executor alone.
    reference: Option<BlockExecutor<S, T>>,
    slices: Vec<SliceReport>,
    /// What was taken of the block so far.
    taken: Vec<Arc<ExecutedTx>>,
    /// How many of those that it does not hold were told.
    skipped_taken: usize,
    /// Whether, in shadow mode, what was taken came out the same both ways.
    is_same_so_far: bool,
}

impl<S, T> EngineBlock<'_, S, T>
where
    S: StateView + Copy + Send + Sync,
    S::Error: Send + Sync,
    T: BlockTransaction + Clone + Send + Sync,
{
    /// Runs transactions on the state so far: what comes of it is what running them one after the other would. One that
    /// is invalid at its turn is noted as skipped and changes nothing; a deposit is never skipped. After an error the
    /// block is worth nothing and has to be dropped.
    pub fn execute_slice(&mut self, transactions: Vec<T>) -> Result<(), ExecutionError<S::Error>> {
        if let Some(reference) = &mut self.reference {
            reference.execute_all(transactions.iter().cloned())?;
        }
        let mut report = SliceReport { transactions: transactions.len(), ..SliceReport::default() };
        self.run_slice(transactions, &mut report)?;
        if let BlockHashes::Deferred(parent) = &self.context.hashes
            && parent.is_abandoned()
        {
            return Err(ExecutionError::ParentAbandoned);
        }
        lock(&self.engine.trust).note(report.speculated, report.reused);
        self.engine.counters.count_slice(&report);
        self.slices.push(report);
        Ok(())
    }

    /// Gas that the block has left.
    pub fn gas_remaining(&self) -> u64 {
        self.reference.as_ref().unwrap_or(&self.main).gas_remaining()
    }

    /// Ends the block, and tells how it ran, slice by slice. The state view is as it was. Waits for the parent's hash, if that
    /// is deferred.
    pub fn finish(mut self) -> Result<Finished<T>, ExecutionError<S::Error>> {
        let start = Instant::now();
        let overlays = self.overlays()?;
        let Self { engine, main, pending, reference, mut slices, taken, is_same_so_far, .. } = self;
        if let Some(last) = slices.last_mut() {
            last.times.merge += start.elapsed();
        }
        let (mut executed, workspace) = main.finish()?;
        engine.counters.note_profiles(workspace.profiles.counters());
        executed.overlays.extend(overlays);
        let mut memory = lock(&engine.memory);
        memory.block = workspace;
        memory.lanes.extend(pending.into_lanes().map(LaneState::into_memory));
        memory.lanes.truncate(LANES_KEPT_MAX);
        drop(memory);
        if let Some(reference) = reference {
            let (mut expected, workspace) = reference.finish()?;
            lock(&engine.memory).reference = workspace;
            let is_same = is_same_so_far && expected.is_same(&mut executed);
            engine.counters.count_shadow(is_same);
            executed = expected;
        }
        executed.taken = taken;
        Ok((executed, slices))
    }
}

/// A block that has run, and how, slice by slice.
pub type Finished<T> = (Executed<T>, Vec<SliceReport>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
