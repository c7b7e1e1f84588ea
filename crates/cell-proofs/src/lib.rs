//! Commitments (EIP-4844) and cell proofs (EIP-7594) of blobs, in SIMD lanes.
//!
//! # Job
//!
//! Make the commitment and the 128 proofs of a blob, which is the most expensive part of posting a
//! batch. The 52-bit multipliers of AVX-512 IFMA add eight pairs of points for about the cost of
//! two.
//!
//! ```text
//! blob ─► polynomial: coefficients ─► ifma::sums: the commitment
//!             └─► scalars ─► ifma::sums: a sum for each cell ─► ifma::transform: proofs
//! ```
//!
//! # Invariants
//!
//! - Results equal those of Ethereum's library, with its trusted setup, or there is none: the SIMD
//!   lanes notice the addition of a point to itself or its negative, and give up. No blob of a batch
//!   leads there by chance; one of few equal elements may.
//! - SIMD instructions are used only if the CPU has them.
//!
//! Nobody trusts the results: L1's nodes check each proof. `unsafe` is confined to `ifma`.

#![deny(unsafe_code)]

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "SIMD")]
mod ifma;
#[cfg(target_arch = "x86_64")]
mod polynomial;
mod prover;

pub use prover::{BlobCommitter, CellProver, PointBytes, ProvenBlob};

/// Bytes of a blob.
pub const BLOB_BYTES: usize = 131_072;

/// Cells of an extended blob, each with a proof.
pub const CELLS: usize = 128;

/// Field elements of a blob.
const ELEMENTS: usize = 4_096;
