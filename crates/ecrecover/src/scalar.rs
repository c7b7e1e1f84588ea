//! Arithmetic modulo the order of the group.

use alloy_primitives::{U256, U512, uint};

use crate::{Signature, ifma::Term};

/// Order of the group.
pub(crate) const ORDER: U256 =
    uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

/// `-1 / ORDER` modulo 2^64.
const ORDER_NEGATED_INVERSE: u64 = 0x4b0d_ff66_5588_b13f;

/// 2^512 modulo the order: converts a number into Montgomery form.
const MONTGOMERY_SQUARED: U256 =
    uint!(0x9d671cd581c69bc5e697f5e45bcd07c6741496c20e7cf878896cf21467d7d140_U256);

/// Coordinates of the two short vectors `(A1, -B1)` and `(A2, A1)`. They span the lattice of pairs
/// `(a, b)` with `a + b·λ = 0`. `λ` is the cube root of one that multiplies a point by scaling its
/// x coordinate.
const A1: U256 = uint!(0x3086d221a7d46bcde86c90e49284eb15_U256);
const A2: U256 = uint!(0x114ca50f7a8e2f3f657c1108d9d44cfd8_U256);
const B1: U256 = uint!(0xe4437ed6010e88286f547fa90abfe4c3_U256);

/// `A1 / ORDER` and `B1 / ORDER` in units of 2^-384.
const A1_QUOTIENT: U256 =
    uint!(0x3086d221a7d46bcde86c90e49284eb153daa8a1471e8ca7fe893209a45dbb031_U256);
const B1_QUOTIENT: U256 =
    uint!(0xe4437ed6010e88286f547fa90abfe4c4221208ac9df506c61571b4ae8ac47f71_U256);
const QUOTIENT_BITS: usize = 384;

/// `a·b / 2^256`. Both are below the order.
fn multiply(a: U256, b: U256) -> U256 {
    a.mul_redc(b, ORDER, ORDER_NEGATED_INVERSE)
}

fn negate(a: U256) -> U256 {
    if a.is_zero() { a } else { ORDER - a }
}

/// `a - b`. Both are below the order.
pub(crate) fn subtract(a: U256, b: U256) -> U256 {
    if a < b { ORDER - (b - a) } else { a - b }
}

/// The terms of a signature's key: `−z/r` times the generator and `s/r` times the point. The
/// signatures are in range.
pub(crate) fn terms(signatures: &[Signature]) -> Vec<Term> {
    let inverses = invert_all(&signatures.iter().map(|signature| signature.r).collect::<Vec<_>>());
    let term = |(signature, inverse): (&Signature, U256)| {
        let hash = U256::from_be_bytes(signature.hash.0);
        let z = if hash < ORDER { hash } else { hash - ORDER };
        let inverse = multiply(inverse, MONTGOMERY_SQUARED);
        Term {
            x: signature.r,
            is_odd: signature.is_odd,
            generators: negate(multiply(z, inverse)),
            points: multiply(signature.s, inverse),
        }
    };
    signatures.iter().zip(inverses).map(term).collect()
}

/// The inverse of each value. No value is zero, and all are below the order.
fn invert_all(values: &[U256]) -> Vec<U256> {
    // `multiply` divides by 2^256, which cancels out when the inverses are computed.
    let products: Vec<_> = values
        .iter()
        .scan(None, |product, &value| {
            *product = Some(product.map_or(value, |product| multiply(product, value)));
            *product
        })
        .collect();
    let Some(last) = products.last() else { return Vec::new() };
    let mut inverse = last.inv_mod(ORDER).expect("invariant: not zero, and the order is prime");
    let mut inverses = vec![U256::ZERO; values.len()];
    for index in (1..values.len()).rev() {
        inverses[index] = multiply(inverse, products[index - 1]);
        inverse = multiply(inverse, values[index]);
    }
    inverses[0] = inverse;
    inverses
}

/// Half of a scalar: `-magnitude` or `magnitude`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Half {
    pub(crate) magnitude: u128,
    pub(crate) is_negative: bool,
}

impl Half {
    /// Converts from two's complement.
    fn new(value: U256) -> Self {
        let is_negative = value.bit(255);
        let magnitude = if is_negative { value.wrapping_neg() } else { value };
        let magnitude = magnitude.try_into().expect("invariant: half of a scalar is below 2^128");
        Self { magnitude, is_negative }
    }
}

/// Short `a` and `b` with `a + b·λ = scalar`.
pub(crate) fn halves(scalar: U256) -> [Half; 2] {
    // Find the vector of the lattice near (scalar, 0).
    let (first, second) = (quotient(scalar, A1_QUOTIENT), quotient(scalar, B1_QUOTIENT));
    let near = first.wrapping_mul(A1).wrapping_add(second.wrapping_mul(A2));
    let b = first.wrapping_mul(B1).wrapping_sub(second.wrapping_mul(A1));
    [Half::new(scalar.wrapping_sub(near)), Half::new(b)]
}

/// The rounded product in units of 2^384.
fn quotient(scalar: U256, factor: U256) -> U256 {
    let product: U512 = scalar.widening_mul(factor);
    let floor: U512 = product >> QUOTIENT_BITS;
    let is_rounded_up = product.bit(QUOTIENT_BITS - 1);
    floor.to::<U256>() + U256::from(is_rounded_up)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `λ`, a cube root of one.
    const LAMBDA: U256 =
        uint!(0x5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72_U256);

    fn below_order() -> impl Strategy<Value = U256> {
        let edge = (0_u64..3, any::<bool>()).prop_map(|(small, is_high)| {
            if is_high { ORDER - U256::from(small + 1) } else { U256::from(small) }
        });
        let any = any::<[u64; 4]>().prop_map(|limbs| U256::from_limbs(limbs) % ORDER);
        prop_oneof![1 => edge, 4 => any]
    }

    fn value(half: Half) -> U256 {
        let magnitude = U256::from(half.magnitude);
        if half.is_negative { negate(magnitude) } else { magnitude }
    }

    proptest! {
        #[test]
        fn halves_recombine_to_the_scalar(scalar in below_order()) {
            let [a, b] = halves(scalar).map(value);
            prop_assert_eq!(a.add_mod(b.mul_mod(LAMBDA, ORDER), ORDER), scalar);
        }

        #[test]
        fn subtraction_inverts_addition(a in below_order(), b in below_order()) {
            prop_assert_eq!(subtract(a, b).add_mod(b, ORDER), a);
        }

        #[test]
        fn every_value_times_its_inverse_is_one(
            values in proptest::collection::vec(below_order().prop_filter("zero", |v| !v.is_zero()), 0..20),
        ) {
            let inverses = invert_all(&values);
            prop_assert_eq!(inverses.len(), values.len());
            for (value, inverse) in values.iter().zip(inverses) {
                prop_assert_eq!(value.mul_mod(inverse, ORDER), U256::from(1));
            }
        }

        #[test]
        fn terms_satisfy_the_recovery_equation(
            hash in any::<[u8; 32]>(), r in below_order(), s in below_order(),
        ) {
            prop_assume!(!r.is_zero());
            let [term] = terms(&[Signature { hash: hash.into(), r, s, is_odd: true }])[..] else { unreachable!() };
            let z = U256::from_be_bytes(hash) % ORDER;
            prop_assert_eq!(term.points.mul_mod(r, ORDER), s);
            prop_assert_eq!(term.generators.mul_mod(r, ORDER).add_mod(z, ORDER), U256::ZERO);
            prop_assert_eq!((term.x, term.is_odd), (r, true));
        }
    }
}
