//! Eight sums of points at once, with the 52-bit multipliers of AVX-512 IFMA.

mod field;
mod jacobian;
mod sum;
mod table;

use alloy_primitives::U256;
use turnpike_simd::Ifma;

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

/// The coordinates of each sum, 32 bytes each. `None` if no point has the x coordinate, or if an
/// addition met the point itself, its negative or infinity, or may have.
pub(crate) fn sums(_: Ifma, terms: &[Term]) -> Vec<Option<[u8; 64]>> {
    // SAFETY: an `Ifma` exists only on CPUs with AVX-512F and IFMA.
    unsafe { sum::sums(terms) }
}
