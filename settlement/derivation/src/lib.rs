//! The chain derived from L1 alone: which blocks each inbox entry holds, and the state after them.
//!
//! ```text
//! L1View ─► EntrySource ─► Derivation ─► BlockInputs ─► Follower: state, head, output of every entry
//! └─────────────────────────── DerivedChain ───────────────────────────┘
//! ```
//!
//! Each stage builds on the one before and can be rewound to an earlier entry after an L1 reorg.
//! [`Derivation`] is pure and executes nothing: a block's input depends only on its parent's
//! number, time and origin. [`Follower`] executes the blocks. [`DerivedChain`] keeps a follower in
//! step with a view of L1. [`ProposerView`] decides about proposals on top of it. Errors carry a
//! [`turnpike_l1::Severity`], which says how to handle them.

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
