//! The timeline of a match in the next version of disputes: what the times of reveals say.
//!
//! No call opens a match or records its progress. The result is a pure function of when both sides
//! joined, what their clocks had left, when their nodes were revealed, and the time now. A side
//! that failed stays failed: later reveals change nothing that was over. Times are in seconds.

use alloc::vec::Vec;

/// A side of a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchSide {
    /// When it joined its round.
    pub since: u64,
    /// What its clock has left.
    pub left: u64,
    /// When its nodes in question were revealed, from the root on.
    pub revealed: Vec<Option<u64>>,
}

/// Which of two rivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rival {
    /// The one with the lower seat.
    X,
    /// The one with the later seat, which accuses.
    Y,
}

/// What the timeline says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchProgress {
    /// A side did not reveal in time.
    Failed {
        /// Which side.
        rival: Rival,
        /// Which reveal, counted from 0.
        reveal: usize,
        /// Until when it had time.
        limit: u64,
    },
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
        /// Until when y may accuse or, past the range's blocks, has to show the leaf before.
        accuse_until: u64,
    },
}

/// Follows the reveals of x and y up to `now`. Both list the same number of reveals; a side has
/// `increment` for each of them, however little its clock has left.
pub fn match_progress(increment: u64, sides: [&MatchSide; 2], now: u64) -> MatchProgress {
    let mut at = sides[0].since.max(sides[1].since);
    let mut left = sides.map(|side| side.left);
    for reveal in 0..sides[0].revealed.len() {
        let limits = left.map(|left| at + increment.max(left));
        let ends = sides.map(|side| side.revealed[reveal].map(|time| time.max(at)));
        let failed = |side: usize| {
            ends[side].map_or(now > limits[side], |end| end > limits[side]).then_some(limits[side])
        };
        match (failed(0), failed(1)) {
            // Both: the earlier limit fails; of equal ones y's.
            (Some(limit), y) if y.is_none_or(|y| limit < y) => {
                return MatchProgress::Failed { rival: Rival::X, reveal, limit };
            }
            (_, Some(limit)) => return MatchProgress::Failed { rival: Rival::Y, reveal, limit },
            _ => {}
        }
        let [Some(x), Some(y)] = ends else {
            let revealed = ends.map(|end| end.is_some());
            return MatchProgress::Waiting { reveal, revealed, limits };
        };
        left = [left[0].saturating_sub(x - at), left[1].saturating_sub(y - at)];
        at = x.max(y);
    }
    MatchProgress::Revealed { at, left, accuse_until: at + increment.max(left[1]) }
}
