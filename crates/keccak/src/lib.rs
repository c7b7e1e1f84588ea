//! Keccak-256 of many messages at once.
//!
//! # Job
//!
//! Hash what a trie hashes: thousands of short, independent messages. The permutation works on 25
//! words of 64 bits, so a SIMD register of `n` such words permutes `n` states for the price of
//! about one. Each of these `n` *lanes* hashes a message of its own, and takes the next message
//! as soon as its own is finished.
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
//! - Instructions are used only if the CPU is known to have them.
//!
//! The crate does not read or write anything else, does not spawn threads, and makes no attempt
//! to keep messages secret. `unsafe` is confined to the two SIMD modules.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "SIMD")]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "SIMD")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod batch;
mod lanes;
mod permutation;
mod portable;

pub use lanes::{Lanes, keccak256_many, keccak256_many_with};
pub use portable::keccak256;
