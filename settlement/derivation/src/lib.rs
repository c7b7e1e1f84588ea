//! The chain derived from L1 alone: which blocks each inbox entry holds, and the state after them.
//!
//! ```text
//! L1View ─► EntryReader: read, decode, recover ─► RecoveredEntry ─► Follower: state, head, outputs
//! └────────────────────────── DerivedChain ──────────────────────────┘
//! ```
//!
//! Each stage builds on the one before and can be rewound to an earlier entry after an L1 reorg.
//! [`Derivation`] is pure and executes nothing: a block's input depends only on its parent's
//! number, time and origin. So [`EntryReader`] recovers the signers of one entry while
//! [`Follower`] executes the blocks of the one before. [`DerivedChain`] keeps a follower in step
//! with a view of L1. [`ProposerView`] decides about proposals on top of it. Errors carry a
//! [`turnpike_l1::Severity`], which says how to handle them.

mod derived_chain;
mod entries;
mod error;
mod follower;
mod proposal;
mod reader;
mod recovered;

pub use derived_chain::DerivedChain;
pub use entries::{Derivation, DerivedEntry};
pub use error::{DerivationError, FollowError};
pub use follower::{EntryOutput, FollowedBlock, Follower, STATES};
pub use proposal::{ProposerAction, ProposerView};
pub use reader::{EntryReader, NextEntry};
pub use recovered::RecoveredEntry;
