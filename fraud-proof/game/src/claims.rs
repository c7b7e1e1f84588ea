//! What a player claims about an output, and why a player may have nothing to claim.

use std::fmt;

use alloy_primitives::B256;
use turnpike_l1::DisputedOutput;

use crate::{Trace, TraceError};

/// Answers what one side of a game claims.
///
/// An honest player claims what it derived from L1 and the proof program confirms. A dishonest
/// player claims something else and otherwise plays by the same rules.
pub trait ClaimProvider {
    /// The output root at a position of the block phase: after `position` blocks counted from the
    /// parent output, where every entry counts as the maximum number of blocks per entry.
    fn root_at(&mut self, output: &DisputedOutput, position: u64) -> Result<B256, ClaimError>;

    /// The machine's run on the block between `position` and the next.
    fn trace(&mut self, output: &DisputedOutput, position: u64) -> Result<&mut Trace, ClaimError>;
}

/// Why a player has no claim to make. The player then makes no move.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// The entry is not derived yet.
    #[error("inbox entry {0} is not derived yet")]
    NotDerived(u64),
    /// The block's run has to be prepared first.
    #[error("the proof of block {index} of inbox entry {entry} is not prepared yet")]
    NotPrepared {
        /// The inbox entry.
        entry: u64,
        /// The block's index in the entry.
        index: u64,
    },
    /// The run on the block is under way.
    #[error("the proof program is running on block {index} of inbox entry {entry}")]
    Running {
        /// The inbox entry.
        entry: u64,
        /// The block's index in the entry.
        index: u64,
    },
    /// The node and the proof program compute different output roots. L1 follows the proof program.
    #[error("node and proof program disagree on {0}")]
    Disagreement(Disagreement),
    /// The statement to prove of a block cannot be built.
    #[error("block {index} of inbox entry {entry} cannot be proven: {reason}")]
    NoStatement {
        /// The inbox entry.
        entry: u64,
        /// The block's index in the entry.
        index: u64,
        /// The cause.
        reason: String,
    },
    /// The machine cannot run.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The bisection starts at a value that this player does not agree with: it should not play
    /// this game.
    #[error("the bisection starts at {found}, expected {expected}")]
    FalseStart {
        /// The player's own value.
        expected: B256,
        /// The value that L1 holds as agreed.
        found: B256,
    },
}

/// The node and the proof program compute different output roots for one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The inbox entry.
    pub entry: u64,
    /// The block's index in the entry, from 0.
    pub index: u64,
    /// The output root that the node derived.
    pub node: B256,
    /// The native program's output root, or its error.
    pub native: String,
    /// The machine's output root, or its error.
    pub machine: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entry, index, node, native, machine } = self;
        write!(f, "block {index} of inbox entry {entry}: the node computes {node}, ")?;
        write!(f, "the native proof program {native}, the machine {machine}")
    }
}
