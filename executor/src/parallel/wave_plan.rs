//! A planned wave: expected accesses, lanes, and speculative runs.

use std::time::Duration;

use turnpike_state::StateView;

use super::{
    chunk::Chunk,
    partition::Partition,
    speculation::{Speculation, find_speculation},
};
use crate::{
    ExecutionError,
    block_state::LaneBase,
    runner::{Runner, TxOutcome},
};

/// A planned wave: transactions from the front of a slice, assigned to lanes.
#[derive(Debug)]
pub(super) struct WavePlan {
    pub(super) chunks: Vec<Chunk>,
    pub(super) partition: Partition,
    /// Speculative runs of some of its transactions, in order.
    pub(super) speculations: Vec<Speculation>,
    /// Time that planning took.
    pub(super) planned_in: Duration,
}

impl WavePlan {
    pub(super) fn len(&self) -> usize {
        self.partition.lane_of.len()
    }

    /// The chunk that contains a transaction.
    pub(super) fn chunk_of(&self, tx: u32) -> &Chunk {
        &self.chunks[tx as usize / self.chunks[0].costs.len()]
    }

    /// Uses a transaction's speculative run as its outcome, if the run is still current. Returns
    /// the outcome and the run's execution time.
    pub(super) fn adopt<S: StateView + Copy>(
        &self,
        tx: u32,
        runner: &mut Runner<LaneBase<'_, S>>,
    ) -> Result<Option<(TxOutcome, Duration)>, ExecutionError<S::Error>> {
        let Some(run) = find_speculation(&self.speculations, tx) else { return Ok(None) };
        Ok(run.adopt(runner, None)?.map(|ran| (ran, run.time)))
    }
}
