//! How a game is played: what a player believes, and the move that follows from it. Pure, no I/O.
//!
//! ```text
//! Bisection on L1 ─► answer(belief, …) ─► Play ─► a transaction
//!                        │
//!                     Belief: output roots by block, Trace: machine states by step
//! ```
//!
//! An honest player believes [`Truth`]: what derivation gives, and the proof program confirms. Whoever believes something
//! else plays by the same rules, and loses.

mod answer;
mod checkpoints;
mod trace;
mod truth;

use alloy_primitives::B256;
pub use answer::{Play, StepProof, answer, open};
pub use trace::{Fault, Trace, TraceError};
pub use truth::{Disagreement, Traces, Truth};
use turnpike_l1::DisputedOutput;

/// What a player holds to be true.
pub trait Belief {
    /// The output root at a position of the phase of blocks: after so many blocks from the parent output on, of which
    /// each entry has as many as it may have.
    fn root_at(&mut self, output: &DisputedOutput, position: u64) -> Result<B256, Unsure>;

    /// The machine's run on the block between `position` and the next.
    fn trace(&mut self, output: &DisputedOutput, position: u64) -> Result<&mut Trace, Unsure>;
}

/// Why a player does not know what is true. Then it does nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unsure {
    /// The entry is not derived yet.
    #[error("inbox entry {0} is not derived yet")]
    NotDerived(u64),
    /// The block's run is not there yet: it has to be made first.
    #[error("the proof of block {index} of inbox entry {entry} is not prepared yet")]
    NotPrepared {
        /// The entry.
        entry: u64,
        /// Which of its blocks.
        index: u64,
    },
    /// The proof program, which is the law, says something else of a block than this node.
    #[error("node and proof program disagree on {0}")]
    Disagreement(Disagreement),
    /// It cannot be stated what there is to prove of a block.
    #[error("block {index} of inbox entry {entry} cannot be proven: {reason}")]
    NoStatement {
        /// The entry.
        entry: u64,
        /// Which of its blocks.
        index: u64,
        /// Why.
        reason: String,
    },
    /// The machine cannot run.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// Both sides are said to agree on what is not so: this player should not be in this game.
    #[error("both sides are said to agree on {found}, and it should be {expected}")]
    FalseStart {
        /// What is true.
        expected: B256,
        /// What is said to be agreed on.
        found: B256,
    },
}
