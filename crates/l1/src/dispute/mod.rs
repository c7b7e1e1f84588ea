//! Disputes of outputs as the `Dispute` contract knows them: pure, no I/O.
//!
//! ```text
//! DisputedOutput ─segment─► Segment ─divided─► Bisection ─segment─► Segment ─divided─► … ─► a single step
//!
//! logs of the contract ─► Disputes: every Challenge, every Game, their Moves
//! ```
//!
//! The arithmetic is the contract's, and what the logs say is checked by it.

mod answer;
mod bisection;
mod challenge;
mod disputes;
mod game;
mod output;
mod record;
mod segment;

pub use answer::Answer;
pub use bisection::{Bisection, Phase, SEGMENTS_MAX, positions, rounds};
pub use challenge::{Challenge, ChallengeStatus};
pub use disputes::Disputes;
pub use game::{Ended, Game, GameEnd, GameStatus, Move, Side};
pub use output::DisputedOutput;
pub(crate) use record::DisputeRecord;
pub use segment::{MACHINE_STEPS, Segment};
