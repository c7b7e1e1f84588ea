//! Arithmetic modulo the field's prime `p = 2^256 − 2^32 − 977`, in eight SIMD lanes.

use core::arch::x86_64::{
    __m512i, __mmask8, _mm512_add_epi64, _mm512_and_si512, _mm512_cmpeq_epi64_mask,
    _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_blend_epi64, _mm512_or_si512,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srai_epi64,
    _mm512_srli_epi64, _mm512_sub_epi64, _mm512_test_epi64_mask,
};

/// Number of limbs, and bits of a limb.
const LIMBS: usize = 5;
const LIMB_BITS: u32 = 52;
const LIMB_MASK: i64 = (1 << LIMB_BITS) - 1;

/// Number of bits of the highest limb that are below 2^256.
const TOP_BITS: u32 = 48;
const TOP_MASK: i64 = (1 << TOP_BITS) - 1;

/// `2^256 − p`, which equals 2^256 modulo `p`.
const EXCESS: i64 = 0x1_0000_03d1;

/// `p` in limbs.
const PRIME: [i64; LIMBS] = [(1 << LIMB_BITS) - EXCESS, LIMB_MASK, LIMB_MASK, LIMB_MASK, TOP_MASK];

/// A number below 2^260 in each SIMD lane, in limbs of 52 bits. The multiplier reads no more bits.
///
/// Its *size* is the least `k` for which it is at most `k·(p + 2^220)`. A function documented with
/// a size accepts numbers of at most that size. Products have size 1, and no size exceeds 15.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field([__m512i; LIMBS]);

/// A sum with limbs that may be negative or too large.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum([__m512i; LIMBS]);

impl Field {
    /// The same small number in all SIMD lanes.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn small(value: u32) -> Self {
        let zero = _mm512_setzero_si512();
        Self([_mm512_set1_epi64(i64::from(value)), zero, zero, zero, zero])
    }

    /// Converts from the four words of a number, lowest first.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn from_words([w0, w1, w2, w3]: [__m512i; 4]) -> Self {
        let mask = _mm512_set1_epi64(LIMB_MASK);
        let join = |low, high| _mm512_and_si512(_mm512_or_si512(low, high), mask);
        Self([
            _mm512_and_si512(w0, mask),
            join(_mm512_srli_epi64::<52>(w0), _mm512_slli_epi64::<12>(w1)),
            join(_mm512_srli_epi64::<40>(w1), _mm512_slli_epi64::<24>(w2)),
            join(_mm512_srli_epi64::<28>(w2), _mm512_slli_epi64::<36>(w3)),
            _mm512_srli_epi64::<16>(w3),
        ])
    }

    /// The four words of a canonical number, lowest first.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn to_words(self) -> [__m512i; 4] {
        let [l0, l1, l2, l3, l4] = self.0;
        [
            _mm512_or_si512(l0, _mm512_slli_epi64::<52>(l1)),
            _mm512_or_si512(_mm512_srli_epi64::<12>(l1), _mm512_slli_epi64::<40>(l2)),
            _mm512_or_si512(_mm512_srli_epi64::<24>(l2), _mm512_slli_epi64::<28>(l3)),
            _mm512_or_si512(_mm512_srli_epi64::<36>(l3), _mm512_slli_epi64::<16>(l4)),
        ]
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
        for word in &mut t[1..9] {
            *word = _mm512_add_epi64(*word, *word);
        }
        for i in 0..LIMBS {
            t[2 * i] = _mm512_madd52lo_epu64(t[2 * i], a[i], a[i]);
            t[2 * i + 1] = _mm512_madd52hi_epu64(t[2 * i + 1], a[i], a[i]);
        }
        reduce(t)
    }

    /// The number squared `count` times.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn square_times(mut self, count: usize) -> Self {
        for _ in 0..count {
            self = self.square();
        }
        self
    }

    /// The inverse; zero for zero.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn invert(self) -> Self {
        // The exponent is p − 2.
        let [ones2, ones22, ones223] = self.powers_of_ones();
        let power = ones223.square_times(23).mul(ones22).square_times(5).mul(self);
        power.square_times(3).mul(ones2).square_times(2).mul(self)
    }

    /// A square root, if the number has one.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn root(self) -> Self {
        // The exponent is (p + 1) / 4.
        let [ones2, ones22, ones223] = self.powers_of_ones();
        ones223.square_times(23).mul(ones22).square_times(6).mul(ones2).square_times(2)
    }

    /// Powers whose exponents have 2, 22 and 223 ones in binary.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn powers_of_ones(self) -> [Self; 3] {
        let ones2 = self.square().mul(self);
        let ones3 = ones2.square().mul(self);
        let ones6 = ones3.square_times(3).mul(ones3);
        let ones9 = ones6.square_times(3).mul(ones3);
        let ones11 = ones9.square_times(2).mul(ones2);
        let ones22 = ones11.square_times(11).mul(ones11);
        let ones44 = ones22.square_times(22).mul(ones22);
        let ones88 = ones44.square_times(44).mul(ones44);
        let ones176 = ones88.square_times(88).mul(ones88);
        let ones220 = ones176.square_times(44).mul(ones44);
        [ones2, ones22, ones220.square_times(3).mul(ones3)]
    }

    /// `−self`, of size 2, for a number of size 1.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn negate(self) -> Self {
        Sum([_mm512_setzero_si512(); LIMBS]).minus(self).carry::<1>()
    }

    /// Takes `self` where the bit of `mask` is 0 and `other` where it is 1.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn blend(self, mask: __mmask8, other: Self) -> Self {
        let mut limbs = self.0;
        for (limb, other) in limbs.iter_mut().zip(other.0) {
            *limb = _mm512_mask_blend_epi64(mask, *limb, other);
        }
        Self(limbs)
    }

    /// The number as a sum with one term.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn sum(self) -> Sum {
        Sum(self.0)
    }

    /// The same number reduced below `p`.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(super) fn canonical(self) -> Self {
        let excess = _mm512_set1_epi64(EXCESS);
        // The value is below 2^256 + 2^45, so at most one `p` must be subtracted.
        let mut limbs = self.0;
        let over = take_top(&mut limbs);
        limbs[0] = _mm512_madd52lo_epu64(limbs[0], over, excess);
        let once = Sum(limbs).carry::<0>().0;
        // The value is not below `p` if adding the excess reaches 2^256. Then 2^256 must be
        // subtracted.
        let mut less = once;
        less[0] = _mm512_add_epi64(less[0], excess);
        let mut less = Sum(less).carry::<0>().0;
        let over = take_top(&mut less);
        Self(once).blend(_mm512_test_epi64_mask(over, over), Self(less))
    }

    /// The lanes in which a canonical number is zero.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn zeros(self) -> __mmask8 {
        let [l0, l1, l2, l3, l4] = self.0;
        let low = _mm512_or_si512(_mm512_or_si512(l0, l1), _mm512_or_si512(l2, l3));
        _mm512_cmpeq_epi64_mask(_mm512_or_si512(low, l4), _mm512_setzero_si512())
    }

    /// The lanes in which a canonical number is odd.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn odds(self) -> __mmask8 {
        _mm512_test_epi64_mask(self.0[0], _mm512_set1_epi64(1))
    }
}

impl Sum {
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn plus(mut self, other: Field) -> Self {
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            *limb = _mm512_add_epi64(*limb, other);
        }
        self
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn minus(mut self, other: Field) -> Self {
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            *limb = _mm512_sub_epi64(*limb, other);
        }
        self
    }

    /// Doubles the sum `BITS` times.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn shift<const BITS: u32>(mut self) -> Self {
        for limb in &mut self.0 {
            *limb = _mm512_slli_epi64::<BITS>(*limb);
        }
        self
    }

    /// Adds `SIZE + 1` times `p` and normalizes the limbs. `SIZE` is the size of all subtracted
    /// terms and less than that of the added terms. If nothing was subtracted, nothing is added.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn carry<const SIZE: i64>(self) -> Field {
        let mut limbs = self.0;
        if SIZE > 0 {
            for (limb, prime) in limbs.iter_mut().zip(PRIME) {
                *limb = _mm512_add_epi64(*limb, _mm512_set1_epi64((SIZE + 1) * prime));
            }
        }
        carry_up(&mut limbs);
        Field(limbs)
    }
}

/// Carries all limbs but the highest to 52 bits.
#[target_feature(enable = "avx512f")]
#[inline]
fn carry_up(limbs: &mut [__m512i; LIMBS]) {
    let mask = _mm512_set1_epi64(LIMB_MASK);
    for i in 0..LIMBS - 1 {
        let over = _mm512_srai_epi64::<LIMB_BITS>(limbs[i]);
        limbs[i + 1] = _mm512_add_epi64(limbs[i + 1], over);
        limbs[i] = _mm512_and_si512(limbs[i], mask);
    }
}

/// Removes the bits above 2^256 from the highest limb.
#[target_feature(enable = "avx512f")]
#[inline]
fn take_top(limbs: &mut [__m512i; LIMBS]) -> __m512i {
    let top = limbs[LIMBS - 1];
    limbs[LIMBS - 1] = _mm512_and_si512(top, _mm512_set1_epi64(TOP_MASK));
    _mm512_srli_epi64::<TOP_BITS>(top)
}

/// Reduces a product below 2^520, with words below 2^56, to size 1.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn reduce(mut t: [__m512i; 2 * LIMBS]) -> Field {
    // The part above 2^260, times 2^260 mod p, is added to the lower part. The multiplier ignores
    // carried bits.
    let excess_high = _mm512_set1_epi64(EXCESS << (LIMB_BITS - TOP_BITS));
    for i in LIMBS..2 * LIMBS - 1 {
        t[i + 1] = _mm512_add_epi64(t[i + 1], _mm512_srli_epi64::<LIMB_BITS>(t[i]));
    }
    let [t0, t1, t2, t3, t4, high @ ..] = t;
    let mut r = [t0, t1, t2, t3, t4];
    for i in 0..LIMBS {
        r[i] = _mm512_madd52lo_epu64(r[i], high[i], excess_high);
    }
    for i in 0..LIMBS - 1 {
        r[i + 1] = _mm512_madd52hi_epu64(r[i + 1], high[i], excess_high);
    }
    let r5 = _mm512_madd52hi_epu64(_mm512_setzero_si512(), high[LIMBS - 1], excess_high);
    // The part above 2^256 is now below 2^42 and is added times 2^256 mod p. One pass of carries
    // then suffices, because it adds less than 2^6 to the highest limb.
    let over =
        _mm512_add_epi64(take_top(&mut r), _mm512_slli_epi64::<{ LIMB_BITS - TOP_BITS }>(r5));
    let excess = _mm512_set1_epi64(EXCESS);
    r[0] = _mm512_madd52lo_epu64(r[0], over, excess);
    r[1] = _mm512_madd52hi_epu64(r[1], over, excess);
    carry_up(&mut r);
    Field(r)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;
    use proptest::prelude::*;

    use turnpike_simd::{Ifma, LANES, load, store};

    use super::*;
    use crate::curve::PRIME;

    /// A number in each lane.
    type Numbers = [U256; LANES];

    #[target_feature(enable = "avx512f")]
    fn of(numbers: &Numbers) -> Field {
        let word = |at: usize| core::array::from_fn(|lane| numbers[lane].as_limbs()[at]);
        let [w0, w1, w2, w3] = [0, 1, 2, 3].map(word);
        let load = |word| load(&word);
        Field::from_words([load(w0), load(w1), load(w2), load(w3)])
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn numbers(field: Field) -> Numbers {
        let [w0, w1, w2, w3] = field.canonical().to_words();
        let words = [store(w0), store(w1), store(w2), store(w3)];
        core::array::from_fn(|lane| U256::from_limbs(words.map(|word| word[lane])))
    }

    /// `count` times the number, with size `count`.
    #[target_feature(enable = "avx512f")]
    fn times(field: Field, count: usize) -> Field {
        let mut sum = field.sum();
        for _ in 1..count {
            sum = sum.plus(field);
        }
        sum.carry::<0>()
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn check(a: &Numbers, b: &Numbers, [m, n]: [usize; 2]) {
        let each = |op: &dyn Fn(U256, U256) -> U256| core::array::from_fn(|l| op(a[l], b[l]));
        let of_size = |a: U256, count| a.mul_mod(U256::from(count), PRIME);
        let (fa, fb) = (times(of(a), m), times(of(b), n));
        let product = numbers(fa.mul(fb));
        let expected: Numbers = each(&|a, b| of_size(a, m).mul_mod(of_size(b, n), PRIME));
        assert_eq!(product, expected, "{a:?} times {m}, {b:?} times {n}");
        let square = numbers(fa.square());
        assert_eq!(square, each(&|a, _| of_size(a, m).pow_mod(U256::from(2), PRIME)));
        let difference = numbers(of(a).sum().minus(times(of(b), 13)).carry::<13>());
        assert_eq!(difference, each(&|a, b| (PRIME - of_size(b, 13)).add_mod(a, PRIME)));
        assert_eq!(
            numbers(of(a).mul(Field::small(1)).negate()),
            each(&|a, _| (PRIME - a % PRIME) % PRIME)
        );
        let eightfold = numbers(of(a).sum().shift::<3>().carry::<0>());
        assert_eq!(eightfold, each(&|a, _| of_size(a, 8)));
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn check_powers(a: &Numbers) {
        let power = |exponent: U256| a.map(|a| a.pow_mod(exponent, PRIME));
        assert_eq!(numbers(of(a).invert()), power(PRIME - U256::from(2)));
        assert_eq!(numbers(of(a).root()), power((PRIME + U256::from(1)) / U256::from(4)));
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn check_masks(a: &Numbers, b: &Numbers, mask: u8) {
        let (fa, fb) = (of(a), of(b));
        let bits = |test: &dyn Fn(U256) -> bool| {
            a.iter().enumerate().fold(0, |bits, (l, a)| bits | u8::from(test(*a % PRIME)) << l)
        };
        assert_eq!(fa.canonical().zeros(), bits(&|a| a.is_zero()));
        assert_eq!(fa.canonical().odds(), bits(&|a| a.bit(0)));
        let chosen = core::array::from_fn(|l| if mask >> l & 1 == 1 { b[l] } else { a[l] } % PRIME);
        assert_eq!(numbers(fa.blend(mask, fb)), chosen);
    }

    fn is_available() -> bool {
        let is_available = Ifma::detect().is_some();
        if !is_available {
            eprintln!("NOT TESTED: this CPU does not have AVX-512 IFMA");
        }
        is_available
    }

    /// Any number below 2^256, often near 0, near `p`, or with many ones.
    fn number() -> impl Strategy<Value = U256> {
        let small = any::<u16>().prop_map(U256::from);
        let near = any::<i16>().prop_map(|by| {
            PRIME.wrapping_add(U256::from(by.unsigned_abs()).wrapping_sub(U256::from(1_u64 << 14)))
        });
        let ones =
            (0_usize..256, 0_usize..256).prop_map(|(a, b)| (U256::MAX >> a) & (U256::MAX << b));
        let any = any::<[u64; 4]>().prop_map(U256::from_limbs);
        prop_oneof![small, near, Just(U256::MAX), ones, any]
    }

    fn eight() -> impl Strategy<Value = Numbers> {
        proptest::array::uniform8(number())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn field_operations_equal_modular_arithmetic(
            a in eight(), b in eight(), sizes in proptest::array::uniform2(1_usize..=15),
        ) {
            if is_available() {
                // SAFETY: the CPU has the features.
                unsafe { check(&a, &b, sizes) }
            }
        }

        #[test]
        fn masks_select_simd_lanes(a in eight(), b in eight(), mask in any::<u8>()) {
            if is_available() {
                // SAFETY: the CPU has the features.
                unsafe { check_masks(&a, &b, mask) }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]

        #[test]
        fn powers_have_their_exponents(a in eight()) {
            if is_available() {
                // SAFETY: the CPU has the features.
                unsafe { check_powers(&a) }
            }
        }
    }
}
