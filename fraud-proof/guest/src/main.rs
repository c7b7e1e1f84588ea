//! The proof program, linked for the proof machine: bare RV64IM, without atomics, compressed
//! instructions or floats.
//!
//! ```text
//! _start ─► main ─► turnpike_program::run ─► exit: a0 = code, a1..a4 = output root
//!                        │ ▲
//!              key, offset ▼ │ 32 bytes: `ecall`
//!                       oracle
//! ```
//!
//! | a0 | meaning |
//! |---|---|
//! | 0 | the output root is in a1..a4 |
//! | 2 to 6 | a [`Fault`](turnpike_program::Fault) |
//! | 101 | a panic, or a full heap |
//! | 139 | a full stack: it grows down to address 0 |
#![cfg_attr(not(test), no_std)]
#![cfg_attr(not(test), no_main)]
#![deny(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod heap;
mod keccak;
#[cfg(not(test))]
mod machine;
