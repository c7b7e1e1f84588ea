//! The timeline of a match: what the times of reveals say.
//!
//! No call opens a match or records its progress. The result is a pure function of when both sides
//! joined, what their clocks had left, when their nodes were revealed, and the time now. A side
//! that failed stays failed: later reveals change nothing that was over.

use crate::{Fault, Parameters};

/// A side of a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// When it joined its round.
    pub since: u64,
    /// What its clock has left.
    pub left: u64,
    /// When its nodes in question were revealed, from the root on.
    pub revealed: Vec<Option<u64>>,
}

/// Which side: x has the lower seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    /// The side with the lower seat.
    X,
    /// The side with the later seat, which accuses.
    Y,
}

/// What the timeline says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A side did not reveal in time.
    Failed(Which, u64),
    /// Nodes are missing at this reveal, counted from 0, and no time is over.
    Waiting {
        /// Which reveal.
        reveal: usize,
        /// Whether x and y have made it.
        revealed: [bool; 2],
        /// Until when x and y have time.
        limits: [u64; 2],
    },
    /// All reveals are complete, since `at`.
    Revealed {
        /// When the last one came.
        at: u64,
        /// What the clocks have left.
        left: [u64; 2],
        /// Until when y may accuse, where the leaf is a block's.
        accuse_until: u64,
    },
}

/// Follows both sides' reveals up to `now`. Both sides list the same number of reveals.
pub fn timeline(
    parameters: &Parameters,
    fault: Option<Fault>,
    sides: [&Side; 2],
    now: u64,
) -> Progress {
    let increment = parameters.increment_s;
    let mut at = sides[0].since.max(sides[1].since);
    let mut left = sides.map(|side| side.left);
    for reveal in 0..sides[0].revealed.len() {
        let limits = match fault {
            Some(Fault::IncrementAlone) => [at + increment; 2],
            _ => left.map(|left| at + increment.max(left)),
        };
        let ends = sides.map(|side| side.revealed[reveal].map(|time| time.max(at)));
        let failed = |side: usize| {
            ends[side].map_or(now > limits[side], |end| end > limits[side]).then_some(limits[side])
        };
        match (failed(0), failed(1)) {
            (Some(x), y) if y.is_none_or(|y| x < y) => {
                let out = if fault == Some(Fault::AlwaysFailsY) { Which::Y } else { Which::X };
                return Progress::Failed(out, x);
            }
            (_, Some(y)) => return Progress::Failed(Which::Y, y),
            _ => {}
        }
        let [Some(x), Some(y)] = ends else {
            let revealed = ends.map(|end| end.is_some());
            return Progress::Waiting { reveal, revealed, limits };
        };
        left = [left[0].saturating_sub(x - at), left[1].saturating_sub(y - at)];
        at = x.max(y);
    }
    Progress::Revealed { at, left, accuse_until: at + increment.max(left[1]) }
}
