//! Eight sums of multiples of fixed points at once.

use core::arch::x86_64::{__mmask8, _MM_HINT_T0, _mm_prefetch};

use ark_bls12_381::Fr;
use turnpike_simd::LANES;

use super::{
    digits::{DIGITS, MULTIPLES, WINDOW, digits},
    field::{Field, ONE, Words},
    point::{Affine, Jacobian},
};

/// The coordinates of a point, on cache lines of their own.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Pair {
    x: Words,
    y: Words,
}

/// The first multiples of one point for each SIMD lane.
type Multiples = [[Pair; MULTIPLES]; LANES];

/// A point for each SIMD lane.
struct Choice<'a> {
    pairs: [&'a Pair; LANES],
    /// The SIMD lanes whose digit is not zero.
    used: __mmask8,
    /// Those whose digit is negative.
    negative: __mmask8,
}

/// Multiples of the points of eight sums.
#[derive(Debug)]
pub(super) struct Table(Vec<Multiples>);

impl Table {
    /// The table of these points, none of which is infinity, eight at a time.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn new(points: impl IntoIterator<Item = Jacobian>) -> Self {
        Self(points.into_iter().map(|point| multiples(point)).collect())
    }

    /// The sum of the points, each times its scalar, in each SIMD lane.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn sums(&self, scalars: impl Fn(usize, usize) -> Fr) -> Jacobian {
        let of = |at: usize| std::array::from_fn(|lane| digits(scalars(at, lane)));
        let scalars: Vec<[[i8; DIGITS]; LANES]> = (0..self.0.len()).map(of).collect();
        let mut sum = Jacobian::infinity();
        for window in (0..DIGITS).rev() {
            if sum.is_infinity != 0xff {
                for _ in 0..WINDOW {
                    sum = sum.double();
                }
            }
            let mut next = self.choose(0, &scalars[0], window);
            for at in 0..self.0.len() {
                let Choice { pairs, used, negative } = next;
                // The next multiples are on their way while these are added.
                let after = (at + 1) % self.0.len();
                next = self.choose(after, &scalars[after], window);
                if used == 0 {
                    continue;
                }
                let (x, y) = (pairs.map(|pair| &pair.x), pairs.map(|pair| &pair.y));
                let point = Affine { x: Field::load(x), y: Field::load(y) };
                sum = sum.add_affine(point.negate(negative), used);
            }
        }
        sum
    }

    /// The multiples of the points at this place by their digits in this window.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn choose(&self, at: usize, digits: &[[i8; DIGITS]; LANES], window: usize) -> Choice<'_> {
        let multiples = &self.0[at];
        let mut choice = Choice { pairs: [&multiples[0][0]; LANES], used: 0, negative: 0 };
        for (lane, (digits, multiples)) in digits.iter().zip(multiples).enumerate() {
            let digit = digits[window];
            choice.used |= u8::from(digit != 0) << lane;
            choice.negative |= u8::from(digit < 0) << lane;
            let pair = &multiples[usize::from(digit.unsigned_abs()).saturating_sub(1)];
            for words in [&pair.x, &pair.y] {
                _mm_prefetch::<_MM_HINT_T0>(words.as_ptr().cast());
            }
            choice.pairs[lane] = pair;
        }
        choice
    }
}

/// The first multiples of each point, with affine coordinates.
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiples(point: Jacobian) -> Multiples {
    let one = Field::splat(ONE);
    let inverse = point.z.invert();
    let point = affine(point, inverse);
    let first = Jacobian { x: point.x, y: point.y, z: one, is_infinity: 0 };
    let mut all = vec![first, first.double()];
    while all.len() < MULTIPLES {
        all.push(all[all.len() - 1].add_affine(point, 0xff));
    }
    // One inversion for all: products of the denominators before each.
    let mut products = Vec::with_capacity(MULTIPLES);
    let mut product = one;
    for multiple in &all {
        products.push(product);
        product = product.mul(multiple.z);
    }
    let mut inverse = product.invert();
    let mut found = [[Pair { x: [0; 8], y: [0; 8] }; MULTIPLES]; LANES];
    for (at, multiple) in all.iter().enumerate().rev() {
        let Affine { x, y } = affine(*multiple, inverse.mul(products[at]));
        inverse = inverse.mul(multiple.z);
        for (lane, (x, y)) in x.store().into_iter().zip(y.store()).enumerate() {
            found[lane][at] = Pair { x, y };
        }
    }
    found
}

/// The affine coordinates of points with these inverses of `z`.
#[target_feature(enable = "avx512f,avx512ifma")]
fn affine(point: Jacobian, inverse: Field) -> Affine {
    let square = inverse.square();
    Affine { x: point.x.mul(square), y: point.y.mul(square.mul(inverse)) }
}
