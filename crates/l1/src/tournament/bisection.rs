//! One side's claims over a range of the machine's steps on a block, and their division.

use alloy::sol_types::SolValue as _;
use alloy_primitives::{B256, keccak256};

use super::contracts::DisputeV2;

/// Parts of a range.
pub const SEGMENTS: u64 = 32;
/// Steps of the machine for a block.
pub const MACHINE_STEPS: u64 = 1 << 40;

/// One side's claims over a range, at even distances. `BisectionLibV2.sol` defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bisection {
    /// Hash of the bisection that this one answers. In an accusation, of both claims and the leaf.
    pub answered: B256,
    /// The block's leaf in the histories.
    pub leaf: u64,
    /// The output root before the block, on which both sides agree.
    pub before: B256,
    /// The range's first step.
    pub first: u64,
    /// Number of its steps, a power of 32.
    pub steps: u64,
    /// Hash of the state at `first`, on which both sides agree.
    pub start: B256,
    /// Hashes of the states at the end of each segment.
    pub claims: Vec<B256>,
}

/// A part of a bisection: both sides agree on its start, and the bisection claims its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The first step.
    pub first: u64,
    /// Number of steps.
    pub steps: u64,
    /// Hash of the state at `first`.
    pub start: B256,
    /// The claimed hash of the state at the end.
    pub end: B256,
}

impl Bisection {
    /// Hash of the ABI encoding, by which the contract knows it.
    pub fn hash(&self) -> B256 {
        keccak256(DisputeV2::Bisection::from(self).abi_encode())
    }

    /// The segment with this index, from 0; `None` if there are fewer.
    pub fn segment(&self, index: u64) -> Option<Segment> {
        let at = usize::try_from(index).ok()?;
        let end = *self.claims.get(at)?;
        let steps = self.steps / SEGMENTS;
        Some(Segment {
            first: self.first + index * steps,
            steps,
            start: if at == 0 { self.start } else { self.claims[at - 1] },
            end,
        })
    }

    /// The steps that the claims are about.
    pub fn claimed_steps(&self) -> impl Iterator<Item = u64> + use<> {
        claimed_steps(self.first, self.steps)
    }
}

impl Segment {
    /// The steps that claims within this segment are about.
    pub fn claimed_steps(&self) -> impl Iterator<Item = u64> + use<> {
        claimed_steps(self.first, self.steps)
    }
}

/// The steps at the ends of a range's segments.
pub fn claimed_steps(first: u64, steps: u64) -> impl Iterator<Item = u64> {
    (1..=SEGMENTS).map(move |number| first + number * (steps / SEGMENTS))
}

impl From<&Bisection> for DisputeV2::Bisection {
    fn from(bisection: &Bisection) -> Self {
        Self {
            answered: bisection.answered,
            leaf: bisection.leaf,
            before: bisection.before,
            first: bisection.first,
            steps: bisection.steps,
            start: bisection.start,
            claims: bisection.claims.clone(),
        }
    }
}

impl From<DisputeV2::Bisection> for Bisection {
    fn from(bisection: DisputeV2::Bisection) -> Self {
        Self {
            answered: bisection.answered,
            leaf: bisection.leaf,
            before: bisection.before,
            first: bisection.first,
            steps: bisection.steps,
            start: bisection.start,
            claims: bisection.claims,
        }
    }
}
