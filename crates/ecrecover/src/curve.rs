//! The curve y² = x³ + 7, computed one point at a time, for tables that are computed once.

use alloy_primitives::{U256, uint};

/// The field's prime.
pub(crate) const PRIME: U256 =
    uint!(0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f_U256);

/// A point that is not infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) x: U256,
    pub(crate) y: U256,
}

/// The point that scalars are multiplied with.
pub(crate) const GENERATOR: Point = Point {
    x: uint!(0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798_U256),
    y: uint!(0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8_U256),
};

impl Point {
    /// The sum of two points that are not each other's negatives.
    pub(crate) fn add(self, other: Self) -> Self {
        let (over, under) = if self == other {
            let square = self.x.mul_mod(self.x, PRIME);
            (square.mul_mod(U256::from(3), PRIME), self.y.add_mod(self.y, PRIME))
        } else {
            (subtract(other.y, self.y), subtract(other.x, self.x))
        };
        let inverse = under.inv_mod(PRIME).expect("invariant: not each other's negatives");
        let slope = over.mul_mod(inverse, PRIME);
        let x = subtract(subtract(slope.mul_mod(slope, PRIME), self.x), other.x);
        let y = subtract(slope.mul_mod(subtract(self.x, x), PRIME), self.y);
        Self { x, y }
    }
}

fn subtract(a: U256, b: U256) -> U256 {
    a.add_mod(PRIME - b, PRIME)
}
