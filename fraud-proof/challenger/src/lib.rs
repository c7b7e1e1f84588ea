//! The challenger: derives the chain from L1, re-executes it and disputes false outputs.
//!
//! ```text
//! L1 ─► L1View ─► entries ──► Verifier: derive, execute, remember ─┐
//!          ├────► outputs ──────────────────────────────► judge ─┴─► Verdict ─► Event
//!          │                             (a peer, if any) ─► enquire ─┘     │
//!          └────► disputes ─► PlayerView: duties ◄─────────────────────────────────┘
//!                                 └─► HonestClaims: answer ─► Calls ─► TxManager ─► L1
//! ```
//!
//! [`Verifier`] is the whole judgement: synchronous, pure, and trusting nothing but the genesis file and what the
//! accumulators on L1 authenticate. [`run`] is the driver around it. A peer that serves the claimed chain only makes
//! a report more exact; it decides nothing.
//!
//! [`Challenger`] plays: what it has to do follows from L1 ([`PlayerView::duties`]), what it says from what it has derived
//! ([`game`], [`prove`]), and a tx manager with a database of its own brings it onto L1.
//! [`L1Step`] takes the machine's steps by the contract, in an EVM of this process.
#![deny(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod act;
mod challenger;
mod config;
mod difference;
mod dispute_verifier;
mod divergence;
mod enquiry;
mod event;
mod explanation;
mod history;
mod honest;
mod metrics;
mod outbox;
mod peer;
mod propose;
mod purpose;
mod replay;
mod service;
mod story;
mod think;
mod verifier;

pub use challenger::{Challenger, Progress};
pub use config::{ChallengerConfig, ProposeConfig};
pub use difference::{Difference, ReceiptDifference, StateDifference, StateKey};
pub use dispute_verifier::DisputeVerifier;
pub use divergence::{Divergence, Evidence, Findings, FirstBlock, FirstTransaction};
pub use enquiry::enquire;
pub use event::{Event, GameName, Stretch, Summary};
pub use explanation::{Explanation, explain};
pub use honest::{HonestClaims, TraceCache};
pub use peer::{Peer, PeerError};
pub use replay::{FirstChange, Replay};
pub use service::run;
pub use turnpike_derivation::DerivationError as VerifierError;
pub use turnpike_tx_manager::FeePolicy;
pub use verifier::{BatchDivergence, DerivedBlock, DerivedEntry, EngineFault, Verdict, Verifier};
