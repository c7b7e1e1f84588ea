//! Tables of multiples of points. Each SIMD lane selects its own entry.

use std::sync::LazyLock;

use turnpike_simd::{LANES, load, store, transpose};

use super::{
    field::Field,
    jacobian::{Affine, Jacobian},
};
use crate::{
    curve::{GENERATOR, Point},
    digits::Digit,
};

/// Bits per digit of the point's multiplier, and the number of digits.
pub(super) const POINT_WIDTH: usize = 5;
pub(super) const POINT_DIGITS: usize = 26;

/// The same for the generator. Its table is computed once, so it may be larger.
pub(super) const GENERATOR_WIDTH: usize = 2 * POINT_WIDTH;
pub(super) const GENERATOR_DIGITS: usize = POINT_DIGITS / 2;

/// Number of multiples, from one to the largest digit.
const POINT_MULTIPLES: usize = 1 << (POINT_WIDTH - 1);
const GENERATOR_MULTIPLES: usize = 1 << (GENERATOR_WIDTH - 1);

/// A point: the words of x, then the words of y, lowest first. It fills one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Row([u64; LANES]);

/// Loads points for the SIMD lanes, one per lane.
#[target_feature(enable = "avx512f")]
#[inline]
fn gather([r0, r1, r2, r3, r4, r5, r6, r7]: [&Row; LANES]) -> Affine {
    let [r0, r1, r2, r3] = [load(&r0.0), load(&r1.0), load(&r2.0), load(&r3.0)];
    let [r4, r5, r6, r7] = [load(&r4.0), load(&r5.0), load(&r6.0), load(&r7.0)];
    let [x0, x1, x2, x3, y0, y1, y2, y3] = transpose([r0, r1, r2, r3, r4, r5, r6, r7]);
    Affine { x: Field::from_words([x0, x1, x2, x3]), y: Field::from_words([y0, y1, y2, y3]) }
}

/// The point of each SIMD lane.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn scatter(point: Affine) -> [Row; LANES] {
    let [x0, x1, x2, x3] = point.x.canonical().to_words();
    let [y0, y1, y2, y3] = point.y.canonical().to_words();
    let [r0, r1, r2, r3, r4, r5, r6, r7] = transpose([x0, x1, x2, x3, y0, y1, y2, y3]);
    let row = |vector| Row(store(vector));
    [row(r0), row(r1), row(r2), row(r3), row(r4), row(r5), row(r6), row(r7)]
}

/// Small multiples of the generator, shared by all computations.
#[derive(Debug)]
pub(super) struct Generators(Vec<Row>);

impl Generators {
    /// Returns the table. The first call computes it within a few milliseconds.
    pub(super) fn get() -> &'static Self {
        static GENERATORS: LazyLock<Generators> = LazyLock::new(Generators::new);
        &GENERATORS
    }

    fn new() -> Self {
        let multiples = std::iter::successors(Some(GENERATOR), |point| Some(point.add(GENERATOR)));
        let row = |Point { x, y }: Point| {
            let ([x0, x1, x2, x3], [y0, y1, y2, y3]) = (x.into_limbs(), y.into_limbs());
            Row([x0, x1, x2, x3, y0, y1, y2, y3])
        };
        Self(multiples.take(GENERATOR_MULTIPLES).map(row).collect())
    }

    /// The multiples that the digits select; any multiple where a digit is zero.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn select(&self, digit: &Digit) -> Affine {
        let points = gather(digit.entries.map(|entry| &self.0[usize::from(entry)]));
        points.negate(digit.negative)
    }
}

/// Small multiples of each SIMD lane's point, on an isomorphic curve. Its point `(x, y)` is
/// `(x / z², y / z³)` on the usual curve.
#[derive(Debug)]
pub(super) struct Points {
    rows: [[Row; LANES]; POINT_MULTIPLES],
    pub(super) z: Field,
}

impl Points {
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn new(point: Affine) -> Self {
        let mut multiples = [point.jacobian(); POINT_MULTIPLES];
        // The ratios of the z coordinates of consecutive multiples.
        let mut ratios = [Field::small(1); POINT_MULTIPLES];
        multiples[1] = multiples[0].double();
        ratios[1] = multiples[1].z;
        for at in 2..POINT_MULTIPLES {
            let before = multiples[at - 1];
            (multiples[at], ratios[at]) = before.add(point, before.z);
        }
        let z = multiples[POINT_MULTIPLES - 1].z;
        let mut rows = [[Row([0; LANES]); LANES]; POINT_MULTIPLES];
        // The ratio of the last multiple's z coordinate to this one's.
        let mut ratio = Field::small(1);
        for at in (0..POINT_MULTIPLES).rev() {
            rows[at] = scatter(scale(multiples[at], ratio));
            ratio = ratio.mul(ratios[at]);
        }
        Self { rows, z }
    }

    /// The points themselves, without a multiplier.
    #[target_feature(enable = "avx512f")]
    pub(super) fn once(&self) -> Jacobian {
        gather(core::array::from_fn(|lane| &self.rows[0][lane])).jacobian()
    }

    /// The multiples that the digits select; any multiple where a digit is zero.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn select(&self, digit: &Digit) -> Affine {
        let row = |lane: usize| &self.rows[usize::from(digit.entries[lane])][lane];
        gather(core::array::from_fn(row)).negate(digit.negative)
    }
}

/// `(x·factor², y·factor³)`.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn scale(point: Jacobian, factor: Field) -> Affine {
    let square = factor.square();
    Affine { x: point.x.mul(square), y: point.y.mul(square.mul(factor)) }
}
