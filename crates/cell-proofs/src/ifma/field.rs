//! Arithmetic modulo the prime of BLS12-381's coordinates, in eight SIMD lanes.

use core::arch::x86_64::{
    __m512i, __mmask8, _mm512_add_epi64, _mm512_and_si512, _mm512_madd52hi_epu64,
    _mm512_madd52lo_epu64, _mm512_mask_blend_epi64, _mm512_set1_epi64, _mm512_setzero_si512,
    _mm512_srai_epi64, _mm512_srli_epi64, _mm512_sub_epi64,
};

use std::sync::LazyLock;

use ark_bls12_381::Fq;
use ark_ff::{BigInt, Field as _, PrimeField};

use turnpike_simd::{LANES, load, store, transpose};

/// Number of limbs, and bits of a limb.
pub(super) const LIMBS: usize = 8;
const LIMB_BITS: u32 = 52;
const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;

/// The prime `p` in limbs.
const PRIME: [u64; LIMBS] = limbs(Fq::MODULUS);

/// `−p^{−1}` modulo 2^52.
const NEGATIVE_INVERSE: u64 = {
    // Each step of Newton's iteration doubles the number of right bits.
    let (mut inverse, mut step) = (1_u64, 0);
    while step < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(PRIME[0].wrapping_mul(inverse)));
        step += 1;
    }
    inverse.wrapping_neg() & LIMB_MASK
};

/// Multiples of `p` that are added before a subtraction. The limbs exceed 52 bits.
const FEW: u64 = 16;
const MANY: u64 = 64;

/// A coordinate in Montgomery's form, with 2^416 as its radix, in limbs of 52 bits.
pub(super) type Words = [u64; LIMBS];

/// A number in each SIMD lane, in Montgomery's form with limbs of 52 bits.
///
/// Its *size* is the least `k` for which it is below `k·p`. Products have size 2, whatever the sizes
/// of the factors, as long as those are at most 2^17.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field(pub(super) [__m512i; LIMBS]);

impl Field {
    /// The same number in all SIMD lanes.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn splat(words: Words) -> Self {
        let mut limbs = [_mm512_setzero_si512(); LIMBS];
        for (limb, word) in limbs.iter_mut().zip(words) {
            *limb = _mm512_set1_epi64(word as i64);
        }
        Self(limbs)
    }

    /// One number for each SIMD lane.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn load(lanes: [&Words; LANES]) -> Self {
        let mut rows = [_mm512_setzero_si512(); LANES];
        for (row, words) in rows.iter_mut().zip(lanes) {
            *row = load(words);
        }
        Self(transpose(rows))
    }

    /// The number in each SIMD lane.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn store(self) -> [Words; LANES] {
        let mut lanes = [[0; LIMBS]; LANES];
        for (words, row) in lanes.iter_mut().zip(transpose(self.0)) {
            *words = store(row);
        }
        lanes
    }

    /// The product.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(super) fn mul(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        let mut t = [_mm512_setzero_si512(); 2 * LIMBS];
        for i in 0..LIMBS {
            for j in 0..LIMBS {
                t[i + j] = _mm512_madd52lo_epu64(t[i + j], a[i], b[j]);
                t[i + j + 1] = _mm512_madd52hi_epu64(t[i + j + 1], a[i], b[j]);
            }
        }
        reduce(t)
    }

    /// The square.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(super) fn square(self) -> Self {
        let a = self.0;
        let mut t = [_mm512_setzero_si512(); 2 * LIMBS];
        for i in 0..LIMBS {
            for j in i + 1..LIMBS {
                t[i + j] = _mm512_madd52lo_epu64(t[i + j], a[i], a[j]);
                t[i + j + 1] = _mm512_madd52hi_epu64(t[i + j + 1], a[i], a[j]);
            }
        }
        for limb in &mut t {
            *limb = _mm512_add_epi64(*limb, *limb);
        }
        for i in 0..LIMBS {
            t[2 * i] = _mm512_madd52lo_epu64(t[2 * i], a[i], a[i]);
            t[2 * i + 1] = _mm512_madd52hi_epu64(t[2 * i + 1], a[i], a[i]);
        }
        reduce(t)
    }

    /// The sum; its size is the sum of the sizes.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn add(self, other: Self) -> Self {
        self.added(other).carried()
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn double(self) -> Self {
        self.add(self)
    }

    /// The difference from a number of size 16 at most. The size grows by 16.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn sub(self, other: Self) -> Self {
        self.sub_with::<FEW>(other)
    }

    /// The difference from a number of size 64 at most. The size grows by 64.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn sub_large(self, other: Self) -> Self {
        self.sub_with::<MANY>(other)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn sub_with<const MULTIPLE: u64>(self, other: Self) -> Self {
        let mut enough = PRIME;
        for limb in &mut enough {
            *limb *= MULTIPLE;
        }
        let mut difference = self.added(Self::splat(enough)).0;
        for (limb, other) in difference.iter_mut().zip(other.0) {
            *limb = _mm512_sub_epi64(*limb, other);
        }
        Self(difference).carried()
    }

    /// The limbs' sums, without carries.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn added(self, other: Self) -> Self {
        let mut sum = self.0;
        for (limb, other) in sum.iter_mut().zip(other.0) {
            *limb = _mm512_add_epi64(*limb, other);
        }
        Self(sum)
    }

    /// Brings limbs that are negative or too large to 52 bits.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn carried(self) -> Self {
        let mask = _mm512_set1_epi64(LIMB_MASK as i64);
        let mut limbs = self.0;
        for at in 1..LIMBS {
            let carry = _mm512_srai_epi64::<LIMB_BITS>(limbs[at - 1]);
            limbs[at] = _mm512_add_epi64(limbs[at], carry);
            limbs[at - 1] = _mm512_and_si512(limbs[at - 1], mask);
        }
        Self(limbs)
    }

    /// `other` in the SIMD lanes where the bit of `mask` is 1.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn blend(self, mask: __mmask8, other: Self) -> Self {
        let mut blended = self.0;
        for (limb, other) in blended.iter_mut().zip(other.0) {
            *limb = _mm512_mask_blend_epi64(mask, *limb, other);
        }
        Self(blended)
    }

    /// The inverse; zero for zero.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn invert(self) -> Self {
        // The exponent is p − 2, whose lowest limb does not borrow.
        let mut exponent = Fq::MODULUS.0;
        exponent[0] -= 2;
        let mut power = Self::splat(ONE);
        for bit in (0..Fq::MODULUS_BIT_SIZE).rev() {
            power = power.square();
            if exponent[(bit / 64) as usize] >> (bit % 64) & 1 == 1 {
                power = power.mul(self);
            }
        }
        power
    }
}

/// Divides a product by 2^416 modulo `p`, limb by limb (Montgomery).
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn reduce(mut t: [__m512i; 2 * LIMBS]) -> Field {
    let (zero, mask) = (_mm512_setzero_si512(), _mm512_set1_epi64(LIMB_MASK as i64));
    let prime = Field::splat(PRIME).0;
    let inverse = _mm512_set1_epi64(NEGATIVE_INVERSE as i64);
    for i in 0..LIMBS {
        let factor = _mm512_madd52lo_epu64(zero, t[i], inverse);
        // With the lowest limb of `factor · p`, this limb is a multiple of 2^52: the next one above.
        let carry = _mm512_srli_epi64::<LIMB_BITS>(_mm512_add_epi64(t[i], mask));
        let carry = _mm512_madd52hi_epu64(carry, factor, prime[0]);
        t[i + 1] = _mm512_madd52lo_epu64(t[i + 1], factor, prime[1]);
        t[i + 1] = _mm512_add_epi64(t[i + 1], carry);
        for j in 1..LIMBS {
            t[i + j + 1] = _mm512_madd52hi_epu64(t[i + j + 1], factor, prime[j]);
            if j + 1 < LIMBS {
                t[i + j + 1] = _mm512_madd52lo_epu64(t[i + j + 1], factor, prime[j + 1]);
            }
        }
    }
    let [_, _, _, _, _, _, _, _, high @ ..] = t;
    Field(high).carried()
}

/// 2^416 modulo `p`: the number 1 in Montgomery's form.
pub(super) const ONE: Words = {
    let (mut power, mut bit) = ([1, 0, 0, 0, 0, 0, 0, 0], 0);
    while bit < LIMBS as u32 * LIMB_BITS {
        power = doubled(power);
        bit += 1;
    }
    power
};

/// Twice a number below `p`, modulo `p`.
const fn doubled(words: Words) -> Words {
    let (mut double, mut less, mut at, mut carry, mut borrow) = ([0; LIMBS], [0; LIMBS], 0, 0, 0);
    while at < LIMBS {
        let sum = 2 * words[at] + carry;
        (double[at], carry) = (sum & LIMB_MASK, sum >> LIMB_BITS);
        let difference = double[at].wrapping_sub(PRIME[at]).wrapping_sub(borrow);
        (less[at], borrow) = (difference & LIMB_MASK, difference >> 63);
        at += 1;
    }
    if borrow == 1 { double } else { less }
}

/// Splits a number into limbs.
const fn limbs(number: BigInt<6>) -> Words {
    let (words, mut limbs, mut at) = (number.0, [0; LIMBS], 0);
    while at < LIMBS {
        let bit = at * LIMB_BITS as usize;
        let (word, shift) = (bit / 64, bit % 64);
        if word < words.len() {
            limbs[at] = words[word] >> shift;
            if shift > 0 && word + 1 < words.len() {
                limbs[at] |= words[word + 1] << (64 - shift);
            }
            limbs[at] &= LIMB_MASK;
        }
        at += 1;
    }
    limbs
}

/// A coordinate in Montgomery's form.
pub(super) fn to_words(coordinate: Fq) -> Words {
    limbs((coordinate * *RADIX).into_bigint())
}

/// The coordinate of a number in Montgomery's form, of any size.
pub(super) fn from_words(words: &Words) -> Fq {
    let mut bytes = [0; 56];
    for (at, limb) in words.iter().enumerate() {
        let (byte, shift) = (at * LIMB_BITS as usize / 8, at * LIMB_BITS as usize % 8);
        let mut window = [0; 8];
        window.copy_from_slice(&bytes[byte..byte + 8]);
        let joined = u64::from_le_bytes(window) | limb << shift;
        bytes[byte..byte + 8].copy_from_slice(&joined.to_le_bytes());
    }
    Fq::from_le_bytes_mod_order(&bytes) * *INVERSE_RADIX
}

static RADIX: LazyLock<Fq> =
    LazyLock::new(|| Fq::from(2_u64).pow([u64::from(LIMB_BITS) * LIMBS as u64]));

static INVERSE_RADIX: LazyLock<Fq> =
    LazyLock::new(|| RADIX.inverse().expect("invariant: a power of two is not zero"));
