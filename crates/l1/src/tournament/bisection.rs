//! One side's claims over a range of the machine's steps on a block, and their division, as
//! `BisectionLibV2.sol` defines them.

use alloy::sol_types::SolValue as _;
use alloy_primitives::{B256, keccak256};

pub use super::contracts::DisputeV2::Bisection;

/// Parts of a range.
pub const SEGMENTS: u64 = 32;
/// Steps of the machine for a block.
pub const MACHINE_STEPS: u64 = 1 << 40;

/// A part of a bisection: both sides agree on its start, and the bisection claims its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The first step.
    pub first: u64,
    /// Number of steps.
    pub steps: u64,
    /// The claimed hash of the state at the end.
    pub end: B256,
}

impl Bisection {
    /// Hash of the ABI encoding, by which the contract knows it.
    pub fn hash(&self) -> B256 {
        keccak256(self.abi_encode())
    }

    /// The segment with this index, from 0; `None` if there are fewer.
    pub fn segment(&self, index: u64) -> Option<Segment> {
        let end = *self.claims.get(usize::try_from(index).ok()?)?;
        let steps = self.steps / SEGMENTS;
        Some(Segment { first: self.first + index * steps, steps, end })
    }
}

/// The steps that the claims of a range are about: the ends of its segments.
pub fn claimed_steps(first: u64, steps: u64) -> impl Iterator<Item = u64> {
    (1..=SEGMENTS).map(move |number| first + number * (steps / SEGMENTS))
}
