//! Eight sums of points at once, with the 52-bit multipliers of AVX-512 IFMA.

mod field;
mod jacobian;
mod sum;
mod table;
mod vector;

use alloy_primitives::U256;

/// Number of signatures that are computed at once.
pub(crate) const LANES: usize = 8;

/// A sum of two points: `generators·G + points·R`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    /// The x coordinate of `R`, below the field's prime.
    pub(crate) x: U256,
    /// Whether the y coordinate of `R` is odd.
    pub(crate) is_odd: bool,
    /// The multiplier of `G`, below the order.
    pub(crate) generators: U256,
    /// The multiplier of `R`, below the order.
    pub(crate) points: U256,
}

/// Proof that the CPU has AVX-512 with IFMA.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ifma(());

impl Ifma {
    /// Returns `None` unless the CPU is known to have AVX-512 with IFMA.
    pub(crate) fn new() -> Option<Self> {
        let available = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512ifma");
        available.then_some(Self(()))
    }

    /// The coordinates of each sum, 32 bytes each. `None` if no point has the x coordinate, or if
    /// an addition met the point itself, its negative or infinity, or may have.
    pub(crate) fn sums(self, terms: &[Term]) -> Vec<Option<[u8; 64]>> {
        // SAFETY: `self` exists only on CPUs with AVX-512F and IFMA.
        unsafe { sum::sums(terms) }
    }
}
