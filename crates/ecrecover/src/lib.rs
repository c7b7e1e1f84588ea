//! Recovers the signers of many signatures at once.
//!
//! # Job
//!
//! Recover signers, which is the most expensive part of accepting a transaction. A signature
//! determines a point `R`, and the key is `(s·R − z·G) / r`. The 52-bit multipliers of AVX-512 IFMA
//! compute eight keys for about the cost of one.
//!
//! ```text
//! signatures ──▶ scalar: −z/r, s/r ──▶ digits ──▶ ifma: square root, multiples, inversion ──▶ Keccak ──▶ addresses
//!          └──▶ libsecp256k1: few signatures, other CPUs, every exception ──────────────────────────▶
//! ```
//!
//! # Invariants
//!
//! - Results equal those of libsecp256k1. The SIMD lanes handle regular cases only. libsecp256k1
//!   decides signatures that are out of range, whose `r` is on no point, or whose sum adds a point
//!   to itself, its negative or infinity.
//! - SIMD instructions are used only if the CPU has them.
//!
//! Both halves of the range of `s` are accepted; the caller applies rules about them (EIP-2).
//! Signatures are public, and the running time depends on them. `unsafe` is confined to `ifma`.

#![deny(unsafe_code)]

mod backend;
#[cfg(target_arch = "x86_64")]
mod curve;
#[cfg(target_arch = "x86_64")]
mod digits;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "SIMD")]
mod ifma;
#[cfg(target_arch = "x86_64")]
mod many;
#[cfg(target_arch = "x86_64")]
mod scalar;
mod signature;

pub use backend::{RecoveryBackend, recover_many, recover_many_with};
pub use signature::Signature;
