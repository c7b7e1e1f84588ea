//! Points of G1 in eight SIMD lanes.

use core::arch::x86_64::__mmask8;

use ark_bls12_381::{Fq, G1Affine, G1Projective};
use ark_ec::AffineRepr as _;
use ark_ff::AdditiveGroup as _;
use turnpike_simd::LANES;

use super::field::{Field, ONE, Words, from_words, to_words};

/// Points `(x, y)`, none of them infinity. The sizes are 2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Affine {
    pub(super) x: Field,
    pub(super) y: Field,
}

/// Points `(x / z², y / z³)`. The sizes are at most 18, 18 and 4.
///
/// An addition of a point to itself or its negative is not computed: `z` is a multiple of the prime
/// then, and stays one in all that follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jacobian {
    pub(super) x: Field,
    pub(super) y: Field,
    pub(super) z: Field,
    /// The SIMD lanes that hold infinity, whatever their coordinates are.
    pub(super) is_infinity: __mmask8,
}

/// One point outside of SIMD lanes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    x: Words,
    y: Words,
    z: Words,
    is_infinity: bool,
}

impl Affine {
    /// Negates the points where the bit of `mask` is 1.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn negate(self, mask: __mmask8) -> Self {
        let zero = Field::splat([0; 8]);
        Self { x: self.x, y: self.y.blend(mask, zero.sub(self.y)) }
    }
}

impl Jacobian {
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn infinity() -> Self {
        let one = Field::splat(ONE);
        Self { x: one, y: one, z: one, is_infinity: 0xff }
    }

    /// Twice the point.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(super) fn double(self) -> Self {
        let Self { x, y, z, is_infinity } = self;
        let (xx, yy) = (x.square(), y.square());
        let slope = xx.double().add(xx);
        let middle = x.mul(yy).double().double();
        let doubled_x = slope.square().sub(middle.double());
        let quartic = yy.square().double().double().double();
        let doubled_y = slope.mul(middle.sub_large(doubled_x)).sub(quartic);
        Self { x: doubled_x, y: doubled_y, z: y.mul(z).double(), is_infinity }
    }

    /// The sum with an affine point, in the SIMD lanes where the bit of `mask` is 1.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(super) fn add_affine(self, other: Affine, mask: __mmask8) -> Self {
        let z2 = self.z.square();
        let u = other.x.mul(z2);
        let s = other.y.mul(self.z.mul(z2));
        let sum = self.sum(self.x, self.y, self.z, u.sub_large(self.x), s.sub_large(self.y));
        let first = mask & self.is_infinity;
        let one = Field::splat(ONE);
        let added = mask & !self.is_infinity;
        Self {
            x: self.x.blend(added, sum.x).blend(first, other.x),
            y: self.y.blend(added, sum.y).blend(first, other.y),
            z: self.z.blend(added, sum.z).blend(first, one),
            is_infinity: self.is_infinity & !mask,
        }
    }

    /// The sum.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(super) fn add(self, other: Self) -> Self {
        let (z1, z2) = (self.z.square(), other.z.square());
        let (u1, u2) = (self.x.mul(z2), other.x.mul(z1));
        let s1 = self.y.mul(other.z.mul(z2));
        let s2 = other.y.mul(self.z.mul(z1));
        let sum = self.sum(u1, s1, self.z.mul(other.z), u2.sub(u1), s2.sub(s1));
        let (a, b) = (self.is_infinity, other.is_infinity);
        Self {
            x: sum.x.blend(a, other.x).blend(b, self.x),
            y: sum.y.blend(a, other.y).blend(b, self.y),
            z: sum.z.blend(a, other.z).blend(b, self.z),
            is_infinity: a & b,
        }
    }

    /// The sum of a point with coordinates `u` and `s` and one that is `h` and `r` away, where both
    /// have the denominator `z`.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn sum(self, u: Field, s: Field, z: Field, h: Field, r: Field) -> Self {
        let hh = h.square();
        let hhh = h.mul(hh);
        let v = u.mul(hh);
        let x = r.square().sub(hhh.add(v.double()));
        let y = r.mul(v.sub_large(x)).sub(s.mul(hhh));
        Self { x, y, z: z.mul(h), is_infinity: self.is_infinity }
    }

    /// Negates the points where the bit of `mask` is 1.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(super) fn negate(self, mask: __mmask8) -> Self {
        let zero = Field::splat([0; 8]);
        // A product keeps the size at 18.
        let y = zero.sub_large(self.y).mul(Field::splat(ONE));
        Self { y: self.y.blend(mask, y), ..self }
    }

    /// `other` in the SIMD lanes where the bit of `mask` is 1.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn blend(self, mask: __mmask8, other: Self) -> Self {
        Self {
            x: self.x.blend(mask, other.x),
            y: self.y.blend(mask, other.y),
            z: self.z.blend(mask, other.z),
            is_infinity: (self.is_infinity & !mask) | (other.is_infinity & mask),
        }
    }

    /// One point for each SIMD lane.
    #[target_feature(enable = "avx512f")]
    pub(super) fn load(points: [&Stored; LANES]) -> Self {
        let mut is_infinity = 0;
        for (lane, point) in points.iter().enumerate() {
            is_infinity |= u8::from(point.is_infinity) << lane;
        }
        Self {
            x: Field::load(points.map(|point| &point.x)),
            y: Field::load(points.map(|point| &point.y)),
            z: Field::load(points.map(|point| &point.z)),
            is_infinity,
        }
    }

    /// The point of each SIMD lane.
    #[target_feature(enable = "avx512f")]
    pub(super) fn store(self) -> [Stored; LANES] {
        let (x, y, z) = (self.x.store(), self.y.store(), self.z.store());
        std::array::from_fn(|lane| Stored {
            x: x[lane],
            y: y[lane],
            z: z[lane],
            is_infinity: self.is_infinity >> lane & 1 == 1,
        })
    }
}

impl Stored {
    pub(super) fn of(point: &G1Affine) -> Self {
        let (x, y) = point.xy().unwrap_or_default();
        Self { x: to_words(x), y: to_words(y), z: ONE, is_infinity: point.is_zero() }
    }

    /// The point; `None` after an addition of a point to itself or its negative.
    pub(super) fn point(&self) -> Option<G1Projective> {
        if self.is_infinity {
            return Some(G1Projective::ZERO);
        }
        let [x, y, z] = [&self.x, &self.y, &self.z].map(from_words);
        // The library's coordinates are Jacobian, too.
        (z != Fq::ZERO).then_some(G1Projective::new_unchecked(x, y, z))
    }
}
