//! The end of a block that the engine executed.

use std::time::Instant;

use turnpike_state::StateView;

use super::{block::EngineBlock, lock::lock, report::SliceReport};
use crate::{BlockTransaction, Executed, ExecutionError, block_state::LaneState};

/// Maximum number of lane memories kept for the next block.
const LANES_KEPT_MAX: usize = 1_024;

impl<S, T> EngineBlock<'_, S, T>
where
    S: StateView + Copy + Send + Sync,
    S::Error: Send + Sync,
    T: BlockTransaction + Clone + Send + Sync,
{
    /// Ends the block and returns its outcome and one report per slice. The state view is
    /// unchanged. Waits for the parent's hash, if that is deferred.
    pub fn finish(mut self) -> Result<Finished<T>, ExecutionError<S::Error>> {
        let start = Instant::now();
        let overlays = self.overlays()?;
        let Self {
            engine, main, pending, reference, mut slices, completed, matches_reference, ..
        } = self;
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
            let is_same = matches_reference && expected.is_same(&mut executed);
            engine.counters.count_shadow(is_same);
            executed = expected;
        }
        executed.completed = completed;
        Ok((executed, slices))
    }
}

/// An executed block and one report per slice.
pub type Finished<T> = (Executed<T>, Vec<SliceReport>);
