//! The proof program: one block of an inbox entry, derived and executed.
#![no_std]
#![deny(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod transition;

pub use transition::{Fault, transition};
