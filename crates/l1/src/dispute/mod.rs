//! Disputes of outputs, mirroring the `Dispute` contract. The module does no I/O.
//!
//! ```text
//! DisputedOutput ─segment─► Segment ─divided─► Bisection ─segment─► Segment ─divided─► … ─► a single step
//!
//! logs of the contract ─► Disputes: every Challenge, every Game, their moves
//! ```
//!
//! The arithmetic equals the contract's. Each log is checked with it.

mod answer;
mod bisection;
mod challenge;
mod disputes;
mod game;
mod output;
mod record;
mod segment;

pub use answer::BisectionAnswer;
pub use bisection::{Bisection, Phase, SEGMENTS_MAX, positions, rounds};
pub use challenge::{Challenge, ChallengeStatus};
pub use disputes::Disputes;
pub use game::{EndedAt, Game, GameEnd, GameMove, GameStatus, Side};
pub use output::DisputedOutput;
pub(crate) use record::DisputeRecord;
pub use segment::{MACHINE_STEPS, Segment};
