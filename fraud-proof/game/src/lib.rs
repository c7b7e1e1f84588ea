//! Playing a dispute: claims about an output, the move that follows from them, and the calls that
//! make it on L1.
//!
//! ```text
//! L1's outputs and disputes ─► PlayerView ─► ScheduledAction: challenge, defend, move, time out, resolve
//! ClaimProvider: output roots by block, Trace: machine states by step ─► next_move ─► NextMove ─► Calls
//! ```
//!
//! Everything here is synchronous and pure but for [`prove::statement_at`], which reads L1 through
//! a node. Honest and dishonest players share this crate: they differ in the [`ClaimProvider`]
//! alone. [`prove`] states what there is to prove of a block and runs the proof program on it.
//! [`L1Step`] runs the machine's steps by the contract, in an EVM of this process.
#![deny(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod action;
mod calls;
mod claims;
pub mod inspect;
mod l1_step;
mod next_move;
pub mod prove;
mod step_check;
mod step_json;
pub mod tournament;
mod trace;

pub use action::{Action, PlayerView, ScheduledAction};
pub use calls::Calls;
pub use claims::{ClaimError, ClaimProvider, Disagreement};
pub use l1_step::{L1Gas, L1Step, L1StepError, NotABlob, StepDifference, StepResult, load_call};
pub use next_move::{NextMove, next_move, opening};
pub use step_check::{StepCheck, StepSelection};
pub use step_json::step_json;
pub use trace::{StepProof, Trace, TraceError, TraceFault};
pub use turnpike_l1::Call;
