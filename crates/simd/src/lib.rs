//! Eight words at once, in the lanes of AVX-512 vectors: what the crates that compute in lanes share.

#![deny(unsafe_code)]

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "SIMD")]
mod x86;

#[cfg(target_arch = "x86_64")]
pub use x86::{load, store, transpose};

/// Number of words in a vector.
pub const LANES: usize = 8;

/// Proof that the CPU has AVX-512 with the 52-bit multipliers of IFMA.
#[derive(Clone, Copy, Debug)]
pub struct Ifma(());

impl Ifma {
    /// Returns `None` unless the CPU is known to have AVX-512 with IFMA.
    #[must_use]
    pub fn detect() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        let available = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512ifma");
        #[cfg(not(target_arch = "x86_64"))]
        let available = false;
        available.then_some(Self(()))
    }
}
