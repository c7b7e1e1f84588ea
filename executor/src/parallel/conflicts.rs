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

use super::{chunk::Chunk, partition::Partition};
#[cfg(feature = "faults")]
use crate::faults::{self, Fault};
use crate::{block_state::LaneState, included::LaneNumber, profile::StateKey};

/// Two lanes that have to run as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) lanes: (LaneNumber, LaneNumber),
    /// What one of them changed and the other looked at.
    pub(crate) key: StateKey,
}

/// A lane's conflicts. `merged` tells in which lane each lane ended up that was planned.
pub(crate) fn find_conflicts(
    chunks: &[Chunk],
    partition: &Partition,
    merged: &[LaneNumber],
    states: &[&LaneState],
    lane: LaneNumber,
) -> Vec<Conflict> {
    let mut conflicts: Vec<Conflict> = Vec::new();
    let mut note = |other: LaneNumber, address, slot| {
        let lanes = (lane, other);
        if other != lane && conflicts.last().is_none_or(|last| last.lanes != lanes) {
            conflicts.push(Conflict { lanes, key: StateKey { address, slot } });
        }
    };
    let expected = |writer: LaneNumber| merged[usize::from(writer)];
    let others = || (0..).zip(states).filter(|(other, _)| *other != lane);
    let state = states[usize::from(lane)];
    for (address, changed) in state.accounts() {
        #[cfg(feature = "faults")]
        if faults::is(Fault::AccountsUnchecked) {
            break;
        }
        match partition.writer_of_account(chunks, address) {
            Some(writer) => note(expected(writer), *address, None),
            None if changed => {
                let found = others().filter(|(_, state)| state.has_account(address));
                found.for_each(|(other, _)| note(other, *address, None));
            }
            None => {}
        }
    }
    for (address, slot, changed) in state.slots() {
        #[cfg(feature = "faults")]
        if faults::is(Fault::SlotsUnchecked) {
            break;
        }
        match partition.writer_of_slot(chunks, &(*address, slot)) {
            Some(writer) => note(expected(writer), *address, Some(slot)),
            None if changed => {
                let found = others().filter(|(_, state)| state.has_slot(address, slot));
                found.for_each(|(other, _)| note(other, *address, Some(slot)));
            }
            None => {}
        }
    }
    conflicts
}
