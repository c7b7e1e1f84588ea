//! Signers of many signatures at once.
//!
//! # Job
//!
//! Find who signed: the costliest part of taking a transaction. A signature names a point `R`, and the key is
//! `(s·R − z·G) / r`. With the 52-bit multipliers of AVX-512 IFMA eight of these are computed for about the price of one.
//!
//! ```text
//! signatures ──▶ scalar: −z/r, s/r ──▶ digits ──▶ ifma: square root, multiples, inversion ──▶ Keccak ──▶ addresses
//!          └──▶ libsecp256k1: few signatures, other CPUs, every exception ──────────────────────────▶
//! ```
//!
//! # Invariants
//!
//! - What comes out is what libsecp256k1 says. The lanes compute only what has no exception: a signature that is out of
//!   range, whose `r` is on no point, or in whose sum a point meets itself, its negative or infinity is handed to the library.
//! - Instructions are used only if the CPU is known to have them.
//!
//! Both halves of the range of `s` are taken: rules about them (EIP-2) are the caller's. Signatures are public, so that time
//! depends on them. `unsafe` is confined to `ifma`.

#![deny(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod curve;
#[cfg(target_arch = "x86_64")]
mod digits;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "SIMD")]
mod ifma;
mod lanes;
#[cfg(target_arch = "x86_64")]
mod many;
#[cfg(target_arch = "x86_64")]
mod scalar;
mod signature;

pub use lanes::{Lanes, recover_many, recover_many_with};
pub use signature::Signature;
