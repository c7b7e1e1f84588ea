//! Finds conflicts between lanes that ran beside each other.
//!
//! A lane that read or wrote a key that another lane changed *conflicts* with it. There are three
//! kinds of keys:
//!
//! - Keys with an expected writer. One lane owns each of them, so any other lane that accessed it
//!   conflicts.
//! - Keys that a lane changed unexpectedly. Any other lane that accessed one conflicts.
//! - All other keys. No lane changed them.
//!
//! So each lane compares its accesses with the expected writers, and searches the other lanes for
//! its unexpected changes. A key with an expected writer counts as changed, even if the writer did
//! not change it.

use super::{chunk::Chunk, partition::Partition};
#[cfg(feature = "faults")]
use crate::faults::{self, Fault};
use crate::{block_state::LaneState, included::LaneNumber, profile::StateKey};

/// Two lanes that must be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) lanes: (LaneNumber, LaneNumber),
    /// The key that one of them changed and the other accessed.
    pub(crate) key: StateKey,
}

/// The conflicts of one lane. `merged` maps each planned lane to the lane that now holds its
/// transactions.
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
