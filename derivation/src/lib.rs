//! The chain as L1 alone gives it: which blocks each inbox entry derives.
//!
//! ```text
//! L1View ─► EntrySource ─► Derivation ─► BlockInputs ─► whoever runs or compares them
//! ```
//!
//! [`Derivation`] is pure: it remembers where the blocks of each entry end, and can be taken back to an earlier entry when L1
//! has reorganised. It runs nothing: a block's input depends on its parent's number, time and origin alone.

mod entries;

pub use entries::{Derivation, DerivationError, DerivedEntry, is_block};
