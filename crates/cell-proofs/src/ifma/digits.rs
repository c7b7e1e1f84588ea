//! Signed digits of scalars.

use ark_bls12_381::Fr;
use ark_ff::{BigInt, PrimeField as _};

/// Bits of a digit. A table holds the multiples of a point up to half of 2^6.
pub(super) const WINDOW: usize = 6;
/// Multiples in a table.
pub(super) const MULTIPLES: usize = 1 << (WINDOW - 1);
/// Digits of a scalar: those of 255 bits and a carry.
pub(super) const DIGITS: usize = 256_usize.div_ceil(WINDOW);

/// Digits from −32 to 32, lowest first: the scalar is the sum of `digit · 64^i`.
pub(super) fn digits(scalar: Fr) -> [i8; DIGITS] {
    let BigInt(words) = scalar.into_bigint();
    let (mut digits, mut carry) = ([0; DIGITS], 0);
    for (at, digit) in digits.iter_mut().enumerate() {
        let (word, shift) = (at * WINDOW / 64, at * WINDOW % 64);
        let mut bits = words[word] >> shift;
        if shift + WINDOW > 64 && word + 1 < words.len() {
            bits |= words[word + 1] << (64 - shift);
        }
        let value = (bits & ((1 << WINDOW) - 1)) as i8 + carry;
        carry = i8::from(value > MULTIPLES as i8);
        *digit = value - (carry << WINDOW);
    }
    digits
}

#[cfg(test)]
mod tests {
    use ark_ff::{AdditiveGroup as _, Field as _};

    use super::*;

    #[test]
    fn digits_add_up_to_the_scalar() {
        let two = Fr::from(2_u64);
        let scalars = (0..255).map(|bit| two.pow([bit]));
        let scalars = scalars.flat_map(|power| [power, power - Fr::ONE, -power, power * power]);
        for scalar in scalars.chain([Fr::ZERO, -Fr::ONE]) {
            let digits = digits(scalar);
            let sum = digits.iter().rev().fold(Fr::ZERO, |sum, digit| {
                assert!(usize::from(digit.unsigned_abs()) <= MULTIPLES);
                sum * Fr::from(1_u64 << WINDOW) + Fr::from(*digit)
            });
            assert_eq!(sum, scalar);
        }
    }
}
