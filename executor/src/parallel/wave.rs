//! Executes a planned wave: its rounds, then the merge.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use turnpike_state::StateView;

use super::{block::EngineBlock, lane::Lane, report::SliceReport, wave_plan::WavePlan};
use crate::{BlockTransaction, ExecutionError, included::LaneNumber};

/// The outcome of a wave.
pub(super) enum WaveOutcome<T> {
    /// The wave was merged. The duration is the estimated time of sequential execution.
    Done(Duration),
    /// The wave was dropped. Its transactions must run sequentially.
    Failed(Vec<Lane<T>>),
}

impl<S, T> EngineBlock<'_, S, T>
where
    S: StateView + Copy + Send + Sync,
    S::Error: Send + Sync,
    T: BlockTransaction + Clone + Send + Sync,
{
    /// Executes a wave's lanes and merges them.
    pub(super) fn run_wave(
        &mut self,
        wave: &WavePlan,
        lanes: Vec<Lane<T>>,
        report: &mut SliceReport,
    ) -> Result<WaveOutcome<T>, ExecutionError<S::Error>> {
        assert!(self.pending.is_empty(), "invariant: a wave starts with no pending lanes");
        let lanes: Vec<_> = lanes.into_iter().map(Mutex::new).collect();
        let mut order: Vec<LaneNumber> = (0..).take(lanes.len()).collect();
        let result = self.start().run_rounds(wave, &lanes, &mut order, report);
        let into_inner =
            |lane: Mutex<Lane<T>>| lane.into_inner().unwrap_or_else(|e| e.into_inner());
        let lanes: Vec<Lane<T>> = lanes.into_iter().map(into_inner).collect();
        match result.and_then(|()| self.credits(&lanes)) {
            Ok(credits) => {
                let start = Instant::now();
                let in_order = lanes.iter().map(|lane| lane.time).sum();
                self.merge(wave, lanes, &order, &credits, report)?;
                report.times.merge += start.elapsed();
                Ok(WaveOutcome::Done(in_order))
            }
            Err(reason) => {
                self.engine.counters.count_fallback(reason, wave.len());
                Ok(WaveOutcome::Failed(lanes))
            }
        }
    }
}
