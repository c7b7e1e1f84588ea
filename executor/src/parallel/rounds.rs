//! Executes a wave in rounds: run lanes, find conflicts, join conflicting lanes, and run those
//! again.

use std::{
    sync::{Mutex, MutexGuard},
    time::Instant,
};

use turnpike_state::StateView;

use super::{
    conflicts::{Conflict, find_conflicts},
    counters::Fallback,
    lane::{Lane, into_slice_order},
    lane_worker::WaveStart,
    lock::lock,
    report::SliceReport,
    wave_plan::WavePlan,
};
#[cfg(feature = "faults")]
use crate::faults::{self, Fault};
use crate::{BlockTransaction, block_state::LaneState, included::LaneNumber, profile::StateKey};

/// Maximum number of rounds. After the last round, the reference executor runs the wave.
const ROUNDS_MAX: usize = 4;

/// Maximum number of conflicting keys whose mispredicted call the next round searches for.
const MISSED_KEYS_MAX: usize = 16;

impl<S> WaveStart<'_, S>
where
    S: StateView + Copy + Send + Sync,
    S::Error: Send + Sync,
{
    /// Executes lanes until none conflicts. Sets `merged` to the lane that now holds each planned
    /// lane's transactions.
    pub(super) fn run_rounds<T: BlockTransaction + Send>(
        &self,
        wave: &WavePlan,
        lanes: &[Mutex<Lane<T>>],
        merged: &mut [LaneNumber],
        report: &mut SliceReport,
    ) -> Result<(), Fallback> {
        let workers = &self.engine.workers;
        let mut waiting: Vec<usize> = (0..lanes.len()).collect();
        // Keys of the last round's conflicts. A call that accesses one of them unexpectedly was
        // mispredicted.
        let mut missed: Vec<StateKey> = Vec::new();
        for _ in 0..ROUNDS_MAX {
            report.rounds += 1;
            let start = Instant::now();
            let results = workers.map(
                waiting.len(),
                || self.worker(),
                |worker, at| worker.run(&mut lock(&lanes[waiting[at]]), wave, &missed).is_ok(),
            );
            report.times.execute += start.elapsed();
            let is_fine = results.map_err(|_| Fallback::Panic)?.into_iter().all(|is_ok| is_ok);
            if !is_fine {
                return Err(Fallback::Error);
            }
            let start = Instant::now();
            let held: Vec<MutexGuard<'_, Lane<T>>> = lanes.iter().map(lock).collect();
            let states: Vec<&LaneState> = held.iter().map(|lane| &lane.state).collect();
            let found = workers.map(
                states.len(),
                || (),
                |(), lane| {
                    let lane =
                        LaneNumber::try_from(lane).expect("invariant: lane numbers fit 16 bits");
                    find_conflicts(&wave.chunks, &wave.partition, merged, &states, lane)
                },
            );
            drop(states);
            let conflicts = found.map_err(|_| Fallback::Panic)?.concat();
            report.times.check += start.elapsed();
            if conflicts.is_empty() {
                return Ok(());
            }
            missed = conflicts.iter().map(|conflict| conflict.key).take(MISSED_KEYS_MAX).collect();
            waiting = join(held, merged, &conflicts);
            report.conflicts += waiting.len();
            tracing::debug!(lanes = waiting.len(), "lanes conflict, executing them again");
        }
        Err(Fallback::Rounds)
    }
}

/// Joins conflicting lanes. The first lane of each group receives all transactions of the group,
/// and the others become empty. Returns the lanes that must run again.
fn join<T>(
    mut lanes: Vec<MutexGuard<'_, Lane<T>>>,
    merged: &mut [LaneNumber],
    conflicts: &[Conflict],
) -> Vec<usize> {
    let mut into: Vec<LaneNumber> = (0..).take(lanes.len()).collect();
    for Conflict { lanes: (one, other), .. } in conflicts {
        let (one, other) = (into[usize::from(*one)], into[usize::from(*other)]);
        if one == other {
            continue;
        }
        let (low, high) = (one.min(other), one.max(other));
        into.iter_mut().filter(|lane| **lane == high).for_each(|lane| *lane = low);
    }
    merged.iter_mut().for_each(|lane| *lane = into[usize::from(*lane)]);
    let mut waiting = Vec::new();
    for first in 0..lanes.len() {
        let members: Vec<usize> =
            (0..lanes.len()).filter(|lane| usize::from(into[*lane]) == first).collect();
        if members.len() < 2 {
            continue;
        }
        let transactions =
            into_slice_order(members.iter().map(|lane| std::mem::take(&mut *lanes[*lane])));
        #[cfg(feature = "faults")]
        let transactions: Vec<_> = match faults::is(Fault::JoinBackwards) {
            true => transactions.into_iter().rev().collect(),
            false => transactions,
        };
        let (numbers, transactions) = transactions.into_iter().unzip();
        *lanes[first] = Lane::new(numbers, transactions);
        waiting.push(first);
    }
    waiting
}
