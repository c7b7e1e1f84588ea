//! Splits scalars into digits from −2^(w−1) to 2^(w−1), for all SIMD lanes.

use turnpike_simd::LANES;

use crate::scalar::{Half, halves};

/// Digits of the same weight, one per SIMD lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digit {
    /// Index of each digit in a table of the multiples 1, 2, 3…; any index if the digit is zero.
    pub(crate) entries: [u16; LANES],
    /// Bit `l`: the digit of lane `l` is below zero.
    pub(crate) negative: u8,
    /// Bit `l`: the digit of lane `l` is not zero.
    pub(crate) present: u8,
}

/// Both halves of a scalar in each SIMD lane, in `COUNT` digits of `WIDTH` bits, lowest first.
#[derive(Debug)]
pub(crate) struct Digits<const WIDTH: usize, const COUNT: usize>(pub(crate) [[Digit; 2]; COUNT]);

impl<const WIDTH: usize, const COUNT: usize> Digits<WIDTH, COUNT> {
    /// Splits scalars below the order.
    pub(crate) fn new(scalars: [alloy_primitives::U256; LANES]) -> Self {
        const { assert!(WIDTH * COUNT > u128::BITS as usize, "the last carry needs room") };
        let mut digits = [[Digit::default(); 2]; COUNT];
        for (lane, scalar) in scalars.into_iter().enumerate() {
            for (half, value) in halves(scalar).into_iter().enumerate() {
                Self::cut(value, |at, entry, is_negative| {
                    let digit = &mut digits[at][half];
                    digit.entries[lane] = entry;
                    digit.negative |= u8::from(is_negative) << lane;
                    digit.present |= 1 << lane;
                });
            }
        }
        Self(digits)
    }

    /// Calls `set` with position, table index and sign of each nonzero digit.
    fn cut(value: Half, mut set: impl FnMut(usize, u16, bool)) {
        let (base, most) = (1_u16 << WIDTH, 1_u16 << (WIDTH - 1));
        let mut carry = 0;
        for at in 0..COUNT {
            let shifted = u32::try_from(at * WIDTH).map(|bits| value.magnitude.checked_shr(bits));
            let bits = shifted.ok().flatten().unwrap_or(0) & u128::from(base - 1);
            let digit = u16::try_from(bits).expect("invariant: a digit has few bits") + carry;
            carry = u16::from(digit > most);
            let magnitude = if digit > most { base - digit } else { digit };
            if magnitude != 0 {
                set(at, magnitude - 1, (carry == 1) != value.is_negative);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum<const WIDTH: usize, const COUNT: usize>(value: Half) -> i128 {
        let mut sum = 0_i128;
        Digits::<WIDTH, COUNT>::cut(value, |at, entry, is_negative| {
            assert!(entry < 1 << (WIDTH - 1), "the table has no entry {entry}");
            // The sum is computed modulo 2^128, so a weight beyond it counts as zero.
            let weight = 1_i128.checked_shl((at * WIDTH) as u32).unwrap_or(0);
            let digit = (i128::from(entry) + 1).wrapping_mul(weight);
            sum = if is_negative { sum.wrapping_sub(digit) } else { sum.wrapping_add(digit) };
        });
        sum
    }

    #[test]
    fn digits_sum_to_the_half_scalar() {
        let magnitudes = [0, 1, 15, 16, 17, 31, 32, 511, 512, 513, u128::MAX, u128::MAX - 16];
        let pattern = 0x8421_0842_1084_2108_4210_8421_0842_1084;
        for magnitude in magnitudes.into_iter().chain([pattern, !pattern, pattern >> 1]) {
            for is_negative in [false, true] {
                let half = Half { magnitude, is_negative };
                let expected = magnitude.cast_signed();
                let expected = if is_negative { expected.wrapping_neg() } else { expected };
                assert_eq!(sum::<5, 26>(half), expected, "{half:?}");
                assert_eq!(sum::<10, 13>(half), expected, "{half:?}");
            }
        }
    }
}
