//! Points of the curve in eight SIMD lanes.

use core::arch::x86_64::__mmask8;

use super::field::Field;

/// Points `(x, y)`. The sizes are 1 and 2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Affine {
    pub(super) x: Field,
    pub(super) y: Field,
}

/// Points `(x / z², y / z³)`. `z` is a multiple of the prime if the point is or was infinity. The
/// sizes are at most 10, 10 and 2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jacobian {
    pub(super) x: Field,
    pub(super) y: Field,
    pub(super) z: Field,
}

impl Affine {
    /// Negates the points where the bit of `mask` is 1. `y` has size 1.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn negate(self, mask: __mmask8) -> Self {
        Self { x: self.x, y: self.y.blend(mask, self.y.negate()) }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn jacobian(self) -> Jacobian {
        Jacobian { x: self.x, y: self.y, z: Field::small(1) }
    }
}

impl Jacobian {
    /// Twice the point.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(super) fn double(self) -> Self {
        let xx = self.x.square();
        let yy = self.y.square();
        let yyyy = yy.square();
        let xyy = self.x.mul(yy);
        let slope = xx.sum().plus(xx).plus(xx).carry::<0>();
        let x = slope.square().sum().minus(xyy.sum().shift::<3>().carry::<0>()).carry::<8>();
        // The sum has size 15.
        let across = xyy.sum().shift::<2>().minus(x).carry::<10>();
        let y = slope.mul(across).sum().minus(yyyy.sum().shift::<3>().carry::<0>()).carry::<8>();
        let z = self.y.mul(self.z).sum().shift::<1>().carry::<0>();
        Self { x, y, z }
    }

    /// The sum, and the factor that turns `self.z` into the sum's `z`. The argument `z` is this
    /// point's `z` on the curve of the other point. If the x coordinates are equal, the sum's `z`
    /// is zero and stays zero.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(super) fn add(self, other: Affine, z: Field) -> (Self, Field) {
        let zz = z.square();
        let h = other.x.mul(zz).sum().minus(self.x).carry::<10>();
        let slope = other.y.mul(zz.mul(z)).sum().minus(self.y).carry::<10>();
        let hh = h.square();
        let hhh = hh.mul(h);
        let v = self.x.mul(hh);
        let x = slope.square().sum().minus(hhh).minus(v).minus(v).carry::<3>();
        let across = v.sum().minus(x).carry::<5>();
        let y = slope.mul(across).sum().minus(self.y.mul(hhh)).carry::<1>();
        (Self { x, y, z: self.z.mul(h) }, h)
    }

    /// Takes `self` where the bit of `mask` is 0 and `other` where it is 1.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn blend(self, mask: __mmask8, other: Self) -> Self {
        Self {
            x: self.x.blend(mask, other.x),
            y: self.y.blend(mask, other.y),
            z: self.z.blend(mask, other.z),
        }
    }
}
