use alloy::sol_types::SolValue as _;
use alloy_primitives::{B256, keccak256};

use super::Segment;
use crate::{Dispute, L1Error, records::malformed};

/// Most parts that a range is divided into.
pub const SEGMENTS_MAX: u64 = 32;

/// What a bisection's positions count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Blocks after the parent output, every entry having as many as the most that one may have: output roots.
    Blocks,
    /// Steps of the proof machine within one block: hashes of its states.
    Machine,
}

/// One side's claims over a range, in even distances; see the contract's interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bisection {
    /// Hash of the bisection that it answers; the output's claim for the first one of a challenge.
    pub answered: B256,
    /// What positions count.
    pub phase: Phase,
    /// Machine: which block. Blocks: 0.
    pub block: u64,
    /// Machine: the output root before the block. Blocks: zero.
    pub agreed_root: B256,
    /// Position where the range begins.
    pub first: u64,
    /// Position where it ends.
    pub last: u64,
    /// What both sides agree on at `first`.
    pub start: B256,
    /// What is claimed at the end of each part.
    pub claims: Vec<B256>,
}

impl Bisection {
    /// What stands for it.
    pub fn hash(&self) -> B256 {
        keccak256(Dispute::Bisection::from(self).abi_encode())
    }

    /// Its `index`-th segment, if it has one.
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

    /// Positions of its claims.
    pub fn positions(&self) -> impl Iterator<Item = u64> + use<> {
        positions(self.first, self.last)
    }
}

/// Where the claims of a bisection from `first` to `last` are.
pub fn positions(first: u64, last: u64) -> impl Iterator<Item = u64> {
    let stride = stride(first, last);
    let count = (last - first).div_ceil(stride);
    (1..=count).map(move |part| last.min(first + part * stride))
}

/// How often a range of so many positions is divided until its parts are single positions.
pub fn rounds(length: u64) -> u64 {
    let (mut length, mut rounds) = (length.div_ceil(SEGMENTS_MAX), 1);
    while length > 1 {
        length = length.div_ceil(SEGMENTS_MAX);
        rounds += 1;
    }
    rounds
}

/// How long the segments of a range are, but for the last.
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
            return Err(malformed("a bisection of nothing"));
        }
        if bisection.claims.len() != positions(bisection.first, bisection.last).count() {
            return Err(malformed("a bisection in another number of parts"));
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
