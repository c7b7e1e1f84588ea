//! The challenger: derives the chain from L1, re-executes it and disputes false outputs.
//!
//! ```text
//! L1 ─► L1View ─► entries ──► Verifier: derive, execute ──┐
//!          ├────► outputs ──────────────────────► judge ──┴─► Verdict ─► Event
//!          │                           (a peer, if any) ─► compare ─┘      │
//!          └────► disputes ─► PlayerView: actions ◄────────────────────────┘
//!                                  └─► next move ─► Calls ─► TxManager ─► L1
//!                                        ▲
//!      WitnessPass: blocks' witnesses ─► Runs: the proof program, on threads of their own
//! ```
//!
//! [`Verifier`] judges: it is synchronous, pure, and trusts only the genesis file and what the
//! accumulators on L1 authenticate. A peer that serves the claimed chain makes a report more exact
//! and decides nothing. [`Challenger`] plays: its actions follow from L1, its claims from what it
//! derived, and a tx manager with its own database brings them on chain. [`run`] drives it.
//!
//! Modules depend in one direction:
//!
//! ```text
//! service ─► challenger ─► player ─► decision, propose, outbox, purpose
//!                │            └─► judgements ─► peer_comparison ─► peer
//!                ├─► dispute_reporter ─► event
//!                └─► chain ─► witness_pass ─► runs ─► question, program_run
//!                                                         └─► honest ─► verifier ─► difference, divergence, history, replay
//! ```
//!
//! [`explain`] and [`DisputeVerifier`] serve `turnpike dispute`, which plays by hand.
#![deny(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod chain;
mod challenger;
mod config;
mod decision;
mod difference;
mod dispute_reporter;
mod dispute_verifier;
mod divergence;
mod event;
mod explanation;
mod history;
mod honest;
mod judgements;
mod metrics;
mod outbox;
mod peer;
mod peer_comparison;
mod player;
mod program_run;
mod propose;
mod purpose;
mod question;
mod replay;
mod runs;
mod service;
mod verifier;
mod witness_pass;

pub use challenger::{Challenger, Progress};
pub use config::{ChallengerConfig, ProposeConfig};
pub use difference::{Difference, ReceiptDifference, StateDifference, StateKey};
pub use dispute_verifier::DisputeVerifier;
pub use divergence::{Divergence, Evidence, FirstBlock, FirstTransaction, PeerFindings};
pub use event::{DisputedRange, Event, GameRef, Summary};
pub use explanation::{Explanation, explain};
pub use honest::{HonestClaims, TraceCache};
pub use peer::{Peer, PeerError};
pub use peer_comparison::compare_with_peer;
pub use replay::{FirstChange, Replay};
pub use service::run;
pub use turnpike_derivation::DerivationError as VerifierError;
pub use turnpike_tx_manager::FeePolicy;
pub use verifier::{BatchDivergence, DerivedBlock, DerivedEntry, EngineFault, Verdict, Verifier};
