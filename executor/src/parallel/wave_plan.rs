//! A planned wave: its transactions' expected accesses, their lanes, and the speculative runs at hand.

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

/// A wave that was planned: transactions from the front of a slice, in lanes.
#[derive(Debug)]
pub(super) struct WavePlan {
    pub(super) chunks: Vec<Chunk>,
    pub(super) partition: Partition,
    /// Runs of some of the transactions by themselves, in their order.
    pub(super) speculations: Vec<Speculation>,
    /// What it took to plan it.
    pub(super) planned_in: Duration,
}

impl WavePlan {
    pub(super) fn len(&self) -> usize {
        self.partition.lane_of.len()
    }

    /// What is expected of a transaction and those around it.
    pub(super) fn chunk_of(&self, tx: u32) -> &Chunk {
        &self.chunks[tx as usize / self.chunks[0].costs.len()]
    }

    /// Takes what came of a transaction when it ran by itself for what comes of it now, if that is so; tells what running
    /// it took.
    pub(super) fn adopt<S: StateView + Copy>(
        &self,
        tx: u32,
        runner: &mut Runner<LaneBase<'_, S>>,
    ) -> Result<Option<(TxOutcome, Duration)>, ExecutionError<S::Error>> {
        let Some(run) = find_speculation(&self.speculations, tx) else { return Ok(None) };
        Ok(run.adopt(runner, None)?.map(|ran| (ran, run.time)))
    }
}
