//! Computes the coordinates of sums from their terms.

use core::arch::x86_64::__mmask8;

use alloy_primitives::{U256, uint};
use turnpike_simd::{LANES, load, store};

use super::{
    Term,
    field::Field,
    jacobian::{Affine, Jacobian},
    table::{
        GENERATOR_DIGITS, GENERATOR_WIDTH, Generators, POINT_DIGITS, POINT_WIDTH, Points, scale,
    },
};
use crate::{
    digits::{Digit, Digits},
    scalar,
};

/// The cube root of one in the field: `λ·(x, y)` is `(β·x, y)`.
const BETA: U256 = uint!(0x7ae96a2b657c07106e64479eac3434e99cf0497512f58995c1396c28719501ee_U256);

/// The constant of the curve's equation.
const B: u32 = 7;

/// A sum starts with the point itself, so that it is never infinity by design. After all doublings
/// this adds `START` times the point, which is subtracted from the point's multiplier in advance.
const START: U256 = uint!(0x400000000000000000000000000000000_U256);
const _: () = assert!(START.as_limbs()[2] == 1 << (POINT_WIDTH * POINT_DIGITS - 128));

/// Sums of eight terms.
#[derive(Clone, Copy, Debug)]
struct Sums {
    points: Jacobian,
    /// The SIMD lanes whose sum is valid.
    is_right: __mmask8,
}

/// See [`sums`](super::sums).
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn sums(terms: &[Term]) -> Vec<Option<[u8; 64]>> {
    let mut groups = Vec::with_capacity(terms.len().div_ceil(LANES));
    for group in terms.chunks(LANES) {
        // SIMD lanes without a term compute the first term again.
        groups.push(sum(&core::array::from_fn(|lane| *group.get(lane).unwrap_or(&group[0]))));
    }
    let mut results = Vec::with_capacity(groups.len() * LANES);
    for (group, inverse) in groups.iter().zip(inverses(&groups)) {
        results.extend(coordinates(scale(group.points, inverse), group.is_right));
    }
    results.truncate(terms.len());
    results
}

/// The sum of each SIMD lane.
#[target_feature(enable = "avx512f,avx512ifma")]
fn sum(terms: &[Term; LANES]) -> Sums {
    let odd = terms.iter().rev().fold(0, |bits, term| bits << 1 | u8::from(term.is_odd));
    let (point, is_point) = lift(from_numbers(terms.map(|term| term.x)), odd);
    let generators = Digits::new(terms.map(|term| term.generators));
    let points = Digits::new(terms.map(|term| scalar::subtract(term.points, START)));
    let points = multiply(&Points::new(point), &points, &generators);
    let is_right = is_point & !points.z.canonical().zeros();
    // A zero would break the shared inversion.
    Sums { points: Jacobian { z: Field::small(1).blend(is_right, points.z), ..points }, is_right }
}

/// The points with these x coordinates, and the SIMD lanes where such a point exists.
#[target_feature(enable = "avx512f,avx512ifma")]
fn lift(x: Field, odd: __mmask8) -> (Affine, __mmask8) {
    let square = x.square().mul(x).sum().plus(Field::small(B)).carry::<0>();
    let y = square.root().canonical();
    let difference = y.square().sum().minus(square).carry::<2>();
    let point = Affine { x, y }.negate(y.odds() ^ odd);
    (point, difference.canonical().zeros())
}

/// The sums of the point's and the generator's multiples.
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply(
    table: &Points,
    points: &Digits<POINT_WIDTH, POINT_DIGITS>,
    generators: &Digits<GENERATOR_WIDTH, GENERATOR_DIGITS>,
) -> Jacobian {
    let generator_table = Generators::get();
    let beta = from_numbers([BETA; LANES]);
    let mut sum = table.once();
    for at in (0..POINT_DIGITS).rev() {
        for _ in 0..POINT_WIDTH {
            sum = sum.double();
        }
        let [first, second] = &points.0[at];
        sum = add(sum, table.select(first), sum.z, first);
        sum = add(sum, rotate(table.select(second), beta), sum.z, second);
        if at % 2 == 0 {
            let [first, second] = &generators.0[at / 2];
            sum = add(sum, generator_table.select(first), sum.z.mul(table.z), first);
            let other = rotate(generator_table.select(second), beta);
            sum = add(sum, other, sum.z.mul(table.z), second);
        }
    }
    Jacobian { z: sum.z.mul(table.z), ..sum }
}

/// Adds the points of the nonzero digits.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn add(sum: Jacobian, other: Affine, z: Field, digit: &Digit) -> Jacobian {
    sum.blend(digit.present, sum.add(other, z).0)
}

/// `λ` times the point.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn rotate(point: Affine, beta: Field) -> Affine {
    Affine { x: point.x.mul(beta), y: point.y }
}

/// The inverses of the z coordinates of each group. None of them is zero.
#[target_feature(enable = "avx512f,avx512ifma")]
fn inverses(groups: &[Sums]) -> Vec<Field> {
    let mut product = Field::small(1);
    // Collect the products of the previous z coordinates.
    let mut inverses = Vec::with_capacity(groups.len());
    for group in groups {
        inverses.push(product);
        product = product.mul(group.points.z);
    }
    let mut inverse = product.invert();
    for (place, group) in inverses.iter_mut().zip(groups).rev() {
        *place = place.mul(inverse);
        inverse = inverse.mul(group.points.z);
    }
    inverses
}

#[target_feature(enable = "avx512f")]
fn from_numbers(numbers: [U256; LANES]) -> Field {
    let word = |at: usize| core::array::from_fn(|lane| numbers[lane].as_limbs()[at]);
    let [w0, w1, w2, w3] = [0, 1, 2, 3].map(word);
    Field::from_words([load(&w0), load(&w1), load(&w2), load(&w3)])
}

/// The coordinates of each SIMD lane, highest byte first; `None` for SIMD lanes without a result.
#[target_feature(enable = "avx512f,avx512ifma")]
fn coordinates(point: Affine, is_right: __mmask8) -> [Option<[u8; 64]>; LANES] {
    let [x0, x1, x2, x3] = point.x.canonical().to_words();
    let [y0, y1, y2, y3] = point.y.canonical().to_words();
    let [x0, x1, x2, x3] = [store(x0), store(x1), store(x2), store(x3)];
    let [y0, y1, y2, y3] = [store(y0), store(y1), store(y2), store(y3)];
    let words = [x3, x2, x1, x0, y3, y2, y1, y0];
    core::array::from_fn(|lane| {
        let mut bytes = [0; 64];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word[lane].to_be_bytes();
        }
        (is_right >> lane & 1 == 1).then_some(bytes)
    })
}
