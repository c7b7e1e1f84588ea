//! The challenger: derives the chain from L1, re-executes it and disputes false outputs.
//!
//! ```text
//! L1 ─► L1View ─► entries ─► Verifier: derive, execute, remember ─┐
//!          └────► outputs ───────────────────────────────► judge ─┴─► Verdict ─► Event
//!                                             (a peer, if any) ─► enquire ─┘        │
//!                                                            challenge ◄────────────┘
//! ```
//!
//! [`Verifier`] is the whole judgement: synchronous, pure, and trusting nothing but the genesis file and what the
//! accumulators on L1 authenticate. [`run`] is the driver around it. A peer that serves the claimed chain only makes
//! a report more exact; it decides nothing.
//!
//! A challenge blocks an output for good; this crate does not yet play the game that decides who is right. What the game will need
//! is here: [`prove`] has a block's witness and runs the proof program on it, natively and in the machine, and [`L1Step`] takes
//! the machine's steps by the contract, in an EVM of this process.
#![deny(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod calls;
mod challenger;
mod difference;
mod disputes;
mod divergence;
mod duties;
mod enquiry;
mod event;
pub mod game;
mod history;
mod l1_step;
mod peer;
pub mod prove;
mod replay;
mod verifier;

pub use calls::Calls;
pub use challenger::{ChallengerConfig, run};
pub use difference::{Difference, ReceiptDifference, StateDifference, StateKey};
pub use divergence::{Divergence, Evidence, Findings, FirstBlock, FirstTransaction};
pub use duties::{Due, Duty, Scene};
pub use enquiry::enquire;
pub use event::{Event, Summary};
pub use l1_step::{L1Gas, L1Step, L1StepError, NotABlob, StepDifference, Stepped, load_call};
pub use peer::{Peer, PeerError};
pub use replay::{FirstChange, Replay};
pub use turnpike_derivation::DerivationError as VerifierError;
pub use turnpike_l1::Call;
pub use verifier::{BatchDivergence, DerivedBlock, DerivedEntry, EngineFault, Verdict, Verifier};
