//! Keccak-256 of many messages at once.
//!
//! # Job
//!
//! Hash the nodes of tries: thousands of short, independent messages. The permutation works on 25
//! words of 64 bits, so a SIMD register of `n` such words permutes `n` states for the price of
//! about one. Each of these `n` *SIMD lanes* hashes one message, and takes the next one as soon as
//! that is finished.
//!
//! ```text
//! messages ──▶ batch: lane refill, padding ──▶ Sponge: absorb and permute ──▶ hashes
//!                                              avx512 (8) | avx2 (4)
//!         └──▶ portable: one after the other ───────────────────────────────▶
//! ```
//!
//! # Invariants
//!
//! - All implementations give the same hashes, those of Ethereum: Keccak with padding `0x01`, not
//!   NIST's SHA-3.
//! - SIMD instructions are used only if the CPU has them.
//!
//! The crate reads and writes nothing else, spawns no threads, and does not keep messages secret.
//! `unsafe` is confined to the two SIMD modules.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "SIMD")]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "SIMD")]
mod avx512;
mod backend;
#[cfg(target_arch = "x86_64")]
mod batch;
mod permutation;
mod portable;

pub use backend::{KeccakBackend, keccak256_many, keccak256_many_with};
pub use portable::keccak256;
