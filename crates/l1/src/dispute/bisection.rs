//! Bisections: one side's claims over a range, and the arithmetic of the division.

use alloy::sol_types::SolValue as _;
use alloy_primitives::{B256, keccak256};

use crate::{Dispute, L1Error, log::malformed};

/// Maximum number of segments of a bisection.
pub const SEGMENTS_MAX: u64 = 32;

/// The unit of a bisection's positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Blocks after the parent output. Claims are output roots. Every entry takes as many positions
    /// as an entry may have blocks.
    Blocks,
    /// Steps of the machine within one block. Claims are hashes of machine states.
    Machine,
}

/// One side's claims over a range, at even distances. `IDispute.sol` defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bisection {
    /// Hash of the bisection that this one answers. For the opening of a challenge, the claim of
    /// the output.
    pub answered: B256,
    /// The unit of positions.
    pub phase: Phase,
    /// Machine: position of the block. Blocks: 0.
    pub block: u64,
    /// Machine: the output root before the block. Blocks: zero.
    pub agreed_root: B256,
    /// First position of the range.
    pub first: u64,
    /// Last position of the range.
    pub last: u64,
    /// Claim at `first` that both sides agree on.
    pub start: B256,
    /// Claims at the end of each segment.
    pub claims: Vec<B256>,
}

impl Bisection {
    /// Hash of the ABI encoding. The contract identifies a bisection by this hash.
    pub fn hash(&self) -> B256 {
        keccak256(Dispute::Bisection::from(self).abi_encode())
    }

    /// Segment with this index, from 0; `None` if there are fewer.
    pub fn segment(&self, index: u64) -> Option<Segment> {
        let at = usize::try_from(index).ok()?;
        let end = *self.claims.get(at)?;
        let stride = stride(self.first, self.last);
        let first = self.first + index * stride;
        let is_last = at + 1 == self.claims.len();
        Some(Segment {
            answered: self.hash(),
            phase: self.phase,
            block: self.block,
            agreed_root: self.agreed_root,
            first,
            last: if is_last { self.last } else { first + stride },
            start: if at == 0 { self.start } else { self.claims[at - 1] },
            end,
        })
    }

    /// Positions of the claims.
    pub fn positions(&self) -> impl Iterator<Item = u64> + use<> {
        positions(self.first, self.last)
    }
}

/// Positions of the claims of a bisection over the range from `first` to `last`.
pub fn positions(first: u64, last: u64) -> impl Iterator<Item = u64> {
    let stride = stride(first, last);
    let count = (last - first).div_ceil(stride);
    (1..=count).map(move |part| last.min(first + part * stride))
}

/// Number of rounds that divide a range of `length` positions into single positions.
pub fn rounds(length: u64) -> u64 {
    let (mut length, mut rounds) = (length.div_ceil(SEGMENTS_MAX), 1);
    while length > 1 {
        length = length.div_ceil(SEGMENTS_MAX);
        rounds += 1;
    }
    rounds
}

/// Length of the segments of a range; the last one may be shorter.
fn stride(first: u64, last: u64) -> u64 {
    (last - first).div_ceil(SEGMENTS_MAX).max(1)
}

impl From<&Bisection> for Dispute::Bisection {
    fn from(bisection: &Bisection) -> Self {
        Self {
            answered: bisection.answered,
            phase: match bisection.phase {
                Phase::Blocks => 0,
                Phase::Machine => 1,
            },
            block: bisection.block,
            agreedRoot: bisection.agreed_root,
            first: bisection.first,
            last: bisection.last,
            start: bisection.start,
            claims: bisection.claims.clone(),
        }
    }
}

impl TryFrom<&Dispute::Bisection> for Bisection {
    type Error = L1Error;

    fn try_from(bisection: &Dispute::Bisection) -> Result<Self, L1Error> {
        let phase = match bisection.phase {
            0 => Phase::Blocks,
            1 => Phase::Machine,
            _ => return Err(malformed("a bisection of unknown phase")),
        };
        if bisection.first >= bisection.last {
            return Err(malformed("a bisection of an empty range"));
        }
        if bisection.claims.len() != positions(bisection.first, bisection.last).count() {
            return Err(malformed("a bisection with the wrong number of claims"));
        }
        Ok(Self {
            answered: bisection.answered,
            phase,
            block: bisection.block,
            agreed_root: bisection.agreedRoot,
            first: bisection.first,
            last: bisection.last,
            start: bisection.start,
            claims: bisection.claims.clone(),
        })
    }
}

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
