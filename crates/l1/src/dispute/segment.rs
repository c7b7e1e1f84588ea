use alloy_primitives::B256;

use super::{Bisection, Phase};

/// Positions of phase [`Phase::Machine`].
pub const MACHINE_STEPS: u64 = 1 << 42;

/// A part of a bisection: what one side claims of a range where the other agrees with the beginning alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What an answer to it answers.
    pub answered: B256,
    /// What positions count.
    pub phase: Phase,
    /// Machine: which block. Blocks: 0.
    pub block: u64,
    /// Machine: the output root before the block. Blocks: zero.
    pub agreed_root: B256,
    /// Position where it begins.
    pub first: u64,
    /// Position where it ends.
    pub last: u64,
    /// What both sides agree on at `first`.
    pub start: B256,
    /// What is claimed at `last`.
    pub end: B256,
}

impl Segment {
    /// How many positions it is long.
    pub const fn length(&self) -> u64 {
        self.last - self.first
    }

    /// The bisection that an answer to this segment is; `initial_state` is the hash of the machine's first state.
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
