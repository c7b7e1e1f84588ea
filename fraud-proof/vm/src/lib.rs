//! The proof machine: RV64IM without atomic, compressed or float instructions, every step of which L1 can repeat.
#![deny(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod state;

pub use state::{STATE_BYTES, State};
