//! The state transition, linked for the proof machine.
//!
//! Proves that derivation, execution and the partial state compile and link for bare RV64IM (no atomics, compressed
//! instructions or floats), with one entry point that reaches all of them. It is not yet the proof program: nothing
//! checks its input against what L1 authenticates, and the machine that would run it comes later. Until then the
//! linked input is empty, and the program exits with [`Fault::NoInput`]'s code.
//!
//! ```text
//! _start ─► main ─► transition(input) ─► exit: a0 = code, a1..a4 = output root
//! ```
#![cfg_attr(not(test), no_std)]
#![cfg_attr(not(test), no_main)]
#![deny(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod heap;
#[cfg(not(test))]
mod machine;
