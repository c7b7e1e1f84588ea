use std::collections::VecDeque;

use alloy_primitives::B256;
use tracing::{error, info};
use turnpike_game::{
    ClaimError, ClaimProvider, Disagreement, Trace,
    prove::{BlockPosition, NativeRun, PROGRAM, ProveError, Statement, run_native},
};
use turnpike_l1::DisputedOutput;
use turnpike_protocol::{LocalInputs, Preimages};

use crate::Verifier;

/// Runs that are kept, at most.
const RUNS_MAX: usize = 4;

/// Blocks of which it is kept what a run of them reads, at most: the runs can then be made again without the chain.
const BLOCKS_MAX: usize = 64;

/// What an honest player holds to be true: what its verifier has derived, and the runs that are prepared.
#[derive(Debug)]
pub struct HonestClaims<'a> {
    verifier: &'a Verifier,
    traces: &'a mut TraceCache,
}

/// Runs of the proof program on disputed blocks: those that were asked for last.
#[derive(Debug)]
pub struct TraceCache {
    /// As far as the machine was run.
    runs: RecentlyUsed<Trace>,
    /// What they read, or why nothing can be said of the block: far smaller, and so kept of more blocks.
    blocks: RecentlyUsed<Result<Preimages, BlockError>>,
}

/// So many things at most, by what decides a run. What was asked for last is last.
#[derive(Debug)]
struct RecentlyUsed<T> {
    max: usize,
    kept: VecDeque<(LocalInputs, T)>,
}

/// Why nothing can be said of a block, whenever it is asked for.
#[derive(Clone, Debug)]
enum BlockError {
    Disagreement(Disagreement),
    NoStatement { entry: u64, index: u64, reason: String },
}

impl<'a> HonestClaims<'a> {
    /// What `verifier` has derived so far.
    pub const fn new(verifier: &'a Verifier, traces: &'a mut TraceCache) -> Self {
        Self { verifier, traces }
    }

    /// Has the run on a block at hand, for which [`Verifier::statement`] said what there is to prove. Runs the program
    /// natively and in the machine, which takes its time.
    ///
    /// # Errors
    ///
    /// If they do not come to what the verifier has derived. Then nothing can be said of that block from now on.
    pub fn prepare(&mut self, statement: &Statement) -> Result<(), ClaimError> {
        let (entry, index) = (statement.position.entry, statement.position.index);
        let local = self.local_inputs(entry, index)?;
        let node =
            self.verifier.root_after(entry, index + 1).ok_or(ClaimError::NotDerived(entry))?;
        if statement.witness.local != local {
            return Err(ClaimError::NotPrepared { entry, index });
        }
        let NativeRun { result: native, read, time } = run_native(&statement.witness);
        let mut trace = Trace::new(PROGRAM, read)?;
        let machine = trace.output_root();
        let agrees = native.as_ref().is_ok_and(|root| *root == node)
            && machine.as_ref().is_ok_and(|root| *root == Some(node))
            && statement.output_root == node;
        if agrees {
            let steps = trace.steps_taken();
            info!(entry, index, steps, native_seconds = time.as_secs_f64(), "run prepared");
            self.traces.blocks.insert(local, Ok(trace.preimages().clone()));
            self.traces.runs.insert(local, trace);
            return Ok(());
        }
        let machine = match machine {
            Ok(Some(root)) => root.to_string(),
            Ok(None) => "it does not end well".into(),
            Err(error) => error.to_string(),
        };
        let native = native.map_or_else(|error| error.to_string(), |root| root.to_string());
        let disagreement = Disagreement { entry, index, node, native, machine };
        error!(%disagreement, "node and proof program disagree: nothing is done about this block");
        self.traces.doubt(local, BlockError::Disagreement(disagreement.clone()));
        Err(ClaimError::Disagreement(disagreement))
    }

    /// Notes that it cannot be stated what there is to prove of a block: nothing is said of it from now on.
    pub(crate) fn give_up(&mut self, position: BlockPosition, reason: &ProveError) {
        let BlockPosition { entry, index } = position;
        error!(entry, index, %reason, "nothing is done about a block of which no proof can be stated");
        if let Ok(local) = self.local_inputs(entry, index) {
            let reason = reason.to_string();
            self.traces.doubt(local, BlockError::NoStatement { entry, index, reason });
        }
    }

    fn local_inputs(&self, entry: u64, index: u64) -> Result<LocalInputs, ClaimError> {
        self.verifier.local_inputs(entry, index).ok_or(ClaimError::NotDerived(entry))
    }
}

impl ClaimProvider for HonestClaims<'_> {
    fn root_at(&mut self, output: &DisputedOutput, position: u64) -> Result<B256, ClaimError> {
        // So many of an entry's blocks come before the position.
        let (entry, blocks) = match position.checked_sub(1) {
            Some(last) => {
                let (entry, index) = output.block_at(last);
                (entry, index + 1)
            }
            None => (output.parent_entry, output.blocks_per_entry),
        };
        self.verifier.root_after(entry, blocks).ok_or(ClaimError::NotDerived(entry))
    }

    fn trace(&mut self, output: &DisputedOutput, position: u64) -> Result<&mut Trace, ClaimError> {
        let (entry, index) = output.block_at(position);
        let local = self.local_inputs(entry, index)?;
        match self.traces.blocks.get(&local) {
            Some(Ok(read)) => {
                if self.traces.runs.get(&local).is_none() {
                    let trace = Trace::new(PROGRAM, read.clone())?;
                    self.traces.runs.insert(local, trace);
                }
                Ok(self.traces.runs.get(&local).expect("invariant: just inserted"))
            }
            Some(Err(doubt)) => Err(doubt.clone().into()),
            None => Err(ClaimError::NotPrepared { entry, index }),
        }
    }
}

impl Default for TraceCache {
    fn default() -> Self {
        Self::with_max(RUNS_MAX, BLOCKS_MAX)
    }
}

impl TraceCache {
    /// None yet, and never more than so many runs, of so many blocks.
    pub const fn with_max(runs: usize, blocks: usize) -> Self {
        Self { runs: RecentlyUsed::with_max(runs), blocks: RecentlyUsed::with_max(blocks) }
    }

    fn doubt(&mut self, local: LocalInputs, doubt: BlockError) {
        self.runs.kept.retain(|(kept, _)| *kept != local);
        self.blocks.insert(local, Err(doubt));
    }
}

impl<T> RecentlyUsed<T> {
    const fn with_max(max: usize) -> Self {
        Self { max, kept: VecDeque::new() }
    }

    fn get(&mut self, local: &LocalInputs) -> Option<&mut T> {
        let at = self.kept.iter().position(|(kept, _)| kept == local)?;
        let asked_for = self.kept.remove(at)?;
        self.kept.push_back(asked_for);
        self.kept.back_mut().map(|(_, value)| value)
    }

    fn insert(&mut self, local: LocalInputs, value: T) {
        self.kept.retain(|(kept, _)| *kept != local);
        while !self.kept.is_empty() && self.kept.len() >= self.max {
            self.kept.pop_front();
        }
        self.kept.push_back((local, value));
    }
}

impl From<BlockError> for ClaimError {
    fn from(doubt: BlockError) -> Self {
        match doubt {
            BlockError::Disagreement(disagreement) => Self::Disagreement(disagreement),
            BlockError::NoStatement { entry, index, reason } => {
                Self::NoStatement { entry, index, reason }
            }
        }
    }
}
