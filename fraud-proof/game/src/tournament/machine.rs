//! The move that answers a bisection of the machine's run.

use alloy_primitives::B256;
use turnpike_l1::tournament::{Bisection, SEGMENTS, Segment, claimed_steps};

/// A move in a game.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineMove {
    /// Divides a segment further.
    Divide {
        /// Index of the segment, from 0.
        segment: u64,
        /// Hashes of the states within it.
        claims: Vec<B256>,
    },
    /// Has L1 run the segment's only step.
    Prove {
        /// Index of the segment, from 0.
        segment: u64,
        /// The step before which the state has to be shown.
        step: u64,
    },
}

/// Answers a bisection: the first segment whose end is wrong is divided or proven. `state_at` gives
/// the hash of the state after so many steps. `None` if all claims are right.
pub fn machine_move<E>(
    bisection: &Bisection,
    mut state_at: impl FnMut(u64) -> Result<B256, E>,
) -> Result<Option<MachineMove>, E> {
    for number in 0..SEGMENTS {
        let Some(Segment { first, steps, end }) = bisection.segment(number) else { break };
        if state_at(first + steps)? == end {
            continue;
        }
        if steps == 1 {
            return Ok(Some(MachineMove::Prove { segment: number, step: first }));
        }
        let claims = claimed_steps(first, steps).map(state_at).collect::<Result<_, E>>()?;
        return Ok(Some(MachineMove::Divide { segment: number, claims }));
    }
    Ok(None)
}
