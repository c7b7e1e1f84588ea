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
mod moves;
mod output;
mod record;

pub use answer::BisectionAnswer;
pub use bisection::{Bisection, MACHINE_STEPS, Phase, SEGMENTS_MAX, Segment, positions, rounds};
pub use challenge::{Challenge, ChallengeStatus};
pub use disputes::Disputes;
pub use game::{Game, GameEnd, GameStatus, Side};
pub use moves::{EndedAt, GameMove};
pub use output::DisputedOutput;
pub(crate) use record::{DisputeRecord, game_status};
