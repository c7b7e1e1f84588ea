//! Whether lanes that ran side by side had nothing to do with each other.
//!
//! A lane that looked at what another one changed *escaped*. Three kinds of keys are told apart:
//!
//! - keys that were expected to change: each was given to one lane, so whoever else looked at it escaped;
//! - keys that a lane changed although nobody expected it: whoever else looked at one escaped, or the lane did;
//! - all other keys: nobody changed them.
//!
//! So it is enough that each lane compares what it looked at with what was expected, and looks for its unexpected
//! changes in the other lanes. What the lanes expected to change and did not is taken for changed.

use super::{partition::Partition, predict::Chunk};
use crate::{included::LaneNumber, journal::LaneState};

/// Pairs of lanes that have to run as one, for all of which this one is the first.
pub(crate) fn escapes(
    chunks: &[Chunk],
    partition: &Partition,
    merged: &[LaneNumber],
    states: &[&LaneState],
    lane: LaneNumber,
) -> Vec<(LaneNumber, LaneNumber)> {
    let mut pairs = Vec::new();
    let mut note = |other: LaneNumber| {
        if other != lane && pairs.last() != Some(&(lane, other)) {
            pairs.push((lane, other));
        }
    };
    let expected = |writer: LaneNumber| merged[usize::from(writer)];
    let others = || (0..).zip(states).filter(|(other, _)| *other != lane);
    let state = states[usize::from(lane)];
    for (address, changed) in state.accounts() {
        match partition.writer_of_account(chunks, address) {
            Some(writer) => note(expected(writer)),
            None if changed => {
                others()
                    .filter(|(_, state)| state.has_account(address))
                    .for_each(|(at, _)| note(at));
            }
            None => {}
        }
    }
    for (address, slot, changed) in state.slots() {
        match partition.writer_of_slot(chunks, &(*address, slot)) {
            Some(writer) => note(expected(writer)),
            None if changed => {
                let has = |state: &LaneState| state.has_slot(address, slot);
                others().filter(|(_, state)| has(state)).for_each(|(at, _)| note(at));
            }
            None => {}
        }
    }
    pairs
}
