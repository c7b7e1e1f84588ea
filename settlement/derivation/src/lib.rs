//! The chain as L1 alone gives it: which blocks each inbox entry derives, and what they come to.
//!
//! ```text
//! L1View ─► EntrySource ─► Derivation ─► BlockInputs ─► Follower: state, head, output of every entry
//! └───────────────────────────── DerivedChain ─────────────────────────────┘
//! ```
//!
//! Each stage stands on the one before and can be taken back to an earlier entry when L1 has reorganised. [`Derivation`] is pure
//! and runs nothing: a block's input depends on its parent's number, time and origin alone. [`Follower`] runs the blocks and
//! goes back by value. [`DerivedChain`] keeps a follower in step with a view of L1. Errors say what they ask for
//! ([`turnpike_l1::Severity`]).

mod derived_chain;
mod entries;
mod error;
mod follower;
mod proposal;

pub use derived_chain::{DerivedChain, NextEntry};
pub use entries::{Derivation, DerivedEntry};
pub use error::{DerivationError, FollowError};
pub use follower::{EntryOutput, FollowedBlock, Follower, STATES};
pub use proposal::{ProposerAction, ProposerView};
