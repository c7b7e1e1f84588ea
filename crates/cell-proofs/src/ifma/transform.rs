//! Fourier transforms of points.

use ark_bls12_381::Fr;
use ark_ff::Field as _;
use turnpike_simd::LANES;

use super::{
    digits::{DIGITS, MULTIPLES, WINDOW, digits},
    point::{Jacobian, Stored},
};
use crate::{CELLS as SIZE, polynomial::reverse_bits};

/// Powers of a root of unity, as the digits of scalars.
#[derive(Debug)]
pub(super) struct Roots(Vec<[i8; DIGITS]>);

impl Roots {
    /// The first powers of a root of unity of order [`CELLS`](crate::CELLS). With its inverse, a
    /// transform is the inverse one, times their number.
    pub(super) fn new(root: Fr) -> Self {
        Self((0..SIZE as u64 / 2).map(|power| digits(root.pow([power]))).collect())
    }

    /// Transforms points in place.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn transform(&self, points: &mut [Stored; SIZE]) {
        reverse_bits(points);
        for half in steps() {
            // Pairs with one root are next to each other, so that most lanes share it.
            let pairs: Vec<_> = (0..half)
                .flat_map(|at| (at..SIZE).step_by(2 * half).map(move |first| (first, at)))
                .collect();
            for pairs in pairs.chunks_exact(LANES) {
                let left = Jacobian::load(std::array::from_fn(|lane| &points[pairs[lane].0]));
                let right =
                    Jacobian::load(std::array::from_fn(|lane| &points[pairs[lane].0 + half]));
                let root = |lane: usize| &self.0[pairs[lane].1 * (SIZE / 2 / half)];
                let [sum, difference] = butterfly(left, right, std::array::from_fn(root));
                let (sum, difference) = (sum.store(), difference.store());
                for (lane, (first, _)) in pairs.iter().enumerate() {
                    points[*first] = sum[lane];
                    points[first + half] = difference[lane];
                }
            }
        }
    }

    /// The same of eight transforms, one in each SIMD lane.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn transform_lanes(&self, points: &mut [Jacobian; SIZE]) {
        reverse_bits(points);
        for half in steps() {
            for at in 0..half {
                let root = &self.0[at * (SIZE / 2 / half)];
                for first in (at..SIZE).step_by(2 * half) {
                    let (left, right) = (points[first], points[first + half]);
                    let [sum, difference] = butterfly(left, right, [root; LANES]);
                    points[first] = sum;
                    points[first + half] = difference;
                }
            }
        }
    }
}

/// The distances between the points of a pair, step by step.
fn steps() -> impl Iterator<Item = usize> {
    (0..SIZE.trailing_zeros()).map(|step| 1 << step)
}

/// `left + root · right` and `left − root · right`.
#[target_feature(enable = "avx512f,avx512ifma")]
fn butterfly(left: Jacobian, right: Jacobian, roots: [&[i8; DIGITS]; LANES]) -> [Jacobian; 2] {
    let product = multiply(right, roots);
    [left.add(product), left.add(product.negate(0xff))]
}

/// Each point times the scalar with these digits.
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply(point: Jacobian, scalars: [&[i8; DIGITS]; LANES]) -> Jacobian {
    let is_one = |digits: &[i8; DIGITS]| digits[0] == 1 && digits[1..].iter().all(|it| *it == 0);
    if point.is_infinity == 0xff || scalars.iter().all(|digits| is_one(digits)) {
        return point;
    }
    let mut multiples = vec![point, point.double()];
    while multiples.len() < MULTIPLES {
        multiples.push(multiples[multiples.len() - 1].add(point));
    }
    let stored: Vec<[Stored; LANES]> = multiples.iter().map(|it| it.store()).collect();
    let mut product = Jacobian::infinity();
    for window in (0..DIGITS).rev() {
        if product.is_infinity != 0xff {
            for _ in 0..WINDOW {
                product = product.double();
            }
        }
        let (mut used, mut negative) = (0, 0);
        let mut chosen = [&stored[0][0]; LANES];
        for lane in 0..LANES {
            let digit = scalars[lane][window];
            used |= u8::from(digit != 0) << lane;
            negative |= u8::from(digit < 0) << lane;
            let at = usize::from(digit.unsigned_abs()).saturating_sub(1);
            chosen[lane] = &stored[at][lane];
        }
        if used != 0 {
            let sum = product.add(Jacobian::load(chosen).negate(negative));
            product = product.blend(used, sum);
        }
    }
    product
}
