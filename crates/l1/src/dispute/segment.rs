//! Segments of a bisection.

use alloy_primitives::B256;

use super::{Bisection, Phase};

/// Number of positions in phase [`Phase::Machine`].
pub const MACHINE_STEPS: u64 = 1 << 42;

/// A segment of a bisection. The side that made the bisection claims the segment's end, and the
/// other side disputes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Hash of the bisection that contains the segment. An answer refers to it.
    pub answered: B256,
    /// The unit of positions.
    pub phase: Phase,
    /// Machine: position of the block. Blocks: 0.
    pub block: u64,
    /// Machine: the output root before the block. Blocks: zero.
    pub agreed_root: B256,
    /// First position.
    pub first: u64,
    /// Last position.
    pub last: u64,
    /// Claim at `first` that both sides agree on.
    pub start: B256,
    /// Disputed claim at `last`.
    pub end: B256,
}

impl Segment {
    /// Length, in positions.
    pub const fn length(&self) -> u64 {
        self.last - self.first
    }

    /// The bisection that answers this segment with `claims`. A segment of a single block is
    /// divided into machine steps from `initial_state`, the hash of the machine's first state.
    pub fn divided(&self, claims: Vec<B256>, initial_state: B256) -> Bisection {
        if self.length() > 1 {
            let Self { answered, phase, block, agreed_root, first, last, start, .. } = *self;
            return Bisection { answered, phase, block, agreed_root, first, last, start, claims };
        }
        Bisection {
            answered: self.answered,
            phase: Phase::Machine,
            block: self.first,
            agreed_root: self.start,
            first: 0,
            last: MACHINE_STEPS,
            start: initial_state,
            claims,
        }
    }
}
