//! What an honest player claims: what the verifier derived and the proof program confirms.
//!
//! State: witnesses of disputed blocks and the machines that run on them, most recently used last.
//!
//! Limits: `RUNS_MAX` machines and `BLOCKS_MAX` witnesses.

use std::{collections::VecDeque, sync::Arc};

use alloy_primitives::B256;
use turnpike_game::{
    ClaimError, ClaimProvider, Trace, TraceError,
    prove::{PROGRAM, Statement},
};
use turnpike_l1::DisputedOutput;
use turnpike_protocol::{LocalInputs, Preimages};

use crate::{
    Verifier,
    program_run::{RunError, Unprovable, confirmed_run},
};

/// Maximum number of kept machine runs.
const RUNS_MAX: usize = 4;

/// Maximum number of blocks whose witness is kept. Their runs can be repeated without the chain.
const BLOCKS_MAX: usize = 64;

/// The honest player's claims: derived output roots, and prepared runs of the proof program.
#[derive(Debug)]
pub struct HonestClaims<'a> {
    verifier: &'a Verifier,
    traces: &'a mut TraceCache,
}

/// The latest runs of the proof program on disputed blocks.
#[derive(Debug)]
pub struct TraceCache {
    /// Machines, as far as they have run.
    runs: RecentlyUsed<Trace>,
    /// Each block's witness, or why the block cannot be proven. Witnesses are far smaller, so more
    /// of them are kept.
    blocks: RecentlyUsed<Result<Preimages, Unprovable>>,
}

/// At most `max` values by local inputs. The most recently used is last.
#[derive(Debug)]
struct RecentlyUsed<T> {
    max: usize,
    kept: VecDeque<(LocalInputs, T)>,
}

impl<'a> HonestClaims<'a> {
    /// The claims that follow from what `verifier` has derived.
    pub const fn new(verifier: &'a Verifier, traces: &'a mut TraceCache) -> Self {
        Self { verifier, traces }
    }

    /// Prepares the run on a block from its [`Verifier::statement`]: runs the program natively and
    /// in the machine, which takes seconds.
    ///
    /// # Errors
    ///
    /// If either run differs from what the verifier derived. The cache then refuses every claim
    /// about the block.
    pub fn prepare(&mut self, statement: &Statement) -> Result<(), ClaimError> {
        let (entry, index) = (statement.position.entry, statement.position.index);
        let local = self.local_inputs(entry, index)?;
        let node =
            self.verifier.root_after(entry, index + 1).ok_or(ClaimError::NotDerived(entry))?;
        if statement.witness.local != local {
            return Err(ClaimError::NotPrepared { entry, index });
        }
        match confirmed_run(statement, node, &Arc::default()) {
            Ok(trace) => {
                self.traces.blocks.insert(local, Ok(trace.preimages().clone()));
                self.traces.runs.insert(local, trace);
                Ok(())
            }
            Err(RunError::Stopped) => Err(TraceError::Stopped.into()),
            Err(RunError::Unprovable(error)) => {
                self.traces.mark_unprovable(local, error.clone());
                Err(error.into())
            }
        }
    }

    fn local_inputs(&self, entry: u64, index: u64) -> Result<LocalInputs, ClaimError> {
        self.verifier.local_inputs(entry, index).ok_or(ClaimError::NotDerived(entry))
    }
}

/// The derived output root at a position of an output's blocks.
pub(crate) fn honest_root(
    verifier: &Verifier,
    output: &DisputedOutput,
    position: u64,
) -> Result<B256, ClaimError> {
    // The position is after `blocks` blocks of `entry`.
    let (entry, blocks) = match position.checked_sub(1) {
        Some(last) => {
            let (entry, index) = output.block_at(last);
            (entry, index + 1)
        }
        None => (output.parent_entry, output.blocks_per_entry),
    };
    verifier.root_after(entry, blocks).ok_or(ClaimError::NotDerived(entry))
}

impl ClaimProvider for HonestClaims<'_> {
    fn root_at(&mut self, output: &DisputedOutput, position: u64) -> Result<B256, ClaimError> {
        honest_root(self.verifier, output, position)
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
            Some(Err(error)) => Err(error.clone().into()),
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
    /// An empty cache for at most `runs` runs and `blocks` witnesses.
    pub const fn with_max(runs: usize, blocks: usize) -> Self {
        Self { runs: RecentlyUsed::with_max(runs), blocks: RecentlyUsed::with_max(blocks) }
    }

    fn mark_unprovable(&mut self, local: LocalInputs, error: Unprovable) {
        self.runs.kept.retain(|(kept, _)| *kept != local);
        self.blocks.insert(local, Err(error));
    }
}

impl<T> RecentlyUsed<T> {
    const fn with_max(max: usize) -> Self {
        Self { max, kept: VecDeque::new() }
    }

    fn get(&mut self, local: &LocalInputs) -> Option<&mut T> {
        let at = self.kept.iter().position(|(kept, _)| kept == local)?;
        let used = self.kept.remove(at)?;
        self.kept.push_back(used);
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
