//! Four SIMD lanes in the 256-bit registers of AVX2.

use core::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_andnot_si256, _mm256_loadu_si256, _mm256_or_si256,
    _mm256_permute2x128_si256, _mm256_set_epi64x, _mm256_set1_epi64x, _mm256_setzero_si256,
    _mm256_slli_epi64, _mm256_srli_epi64, _mm256_storeu_si256, _mm256_unpackhi_epi64,
    _mm256_unpacklo_epi64, _mm256_xor_si256,
};

use crate::{
    batch::{Sponge, States},
    permutation::{RATE, RATE_WORDS, ROUND_CONSTANTS, STATE_WORDS, round},
};

/// Proof that the CPU has AVX2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// `None` if the CPU is not known to have AVX2.
    pub(crate) fn new() -> Option<Self> {
        #[cfg(feature = "std")]
        let available = std::arch::is_x86_feature_detected!("avx2");
        #[cfg(not(feature = "std"))]
        let available = cfg!(target_feature = "avx2");
        available.then_some(Self(()))
    }
}

impl Sponge<4> for Avx2 {
    fn absorb(self, states: &mut States<4>, keep: &[u64; 4], blocks: [&[u8; RATE]; 4]) {
        // SAFETY: `self` exists only on CPUs with AVX2.
        unsafe { absorb(states, keep, blocks) }
    }
}

#[target_feature(enable = "avx2")]
fn absorb(states: &mut States<4>, keep: &[u64; 4], blocks: [&[u8; RATE]; 4]) {
    let keep = load(keep);
    let mut a = [_mm256_setzero_si256(); STATE_WORDS];
    for (word, lanes) in a.iter_mut().zip(&states.0) {
        *word = _mm256_and_si256(load(lanes), keep);
    }
    let words = blocks.map(|block| block.as_chunks::<8>().0);
    for first in [0, 4, 8, 12] {
        let rows = words.map(|words| words[first..].first_chunk().expect("invariant: 17 words"));
        let columns = transpose(rows.map(|row: &[[u8; 8]; 4]| load_bytes(row)));
        for (word, column) in a[first..].iter_mut().zip(columns) {
            *word = _mm256_xor_si256(*word, column);
        }
    }
    let [l0, l1, l2, l3] = words.map(|words| i64::from_le_bytes(words[RATE_WORDS - 1]));
    let last = _mm256_set_epi64x(l3, l2, l1, l0);
    a[RATE_WORDS - 1] = _mm256_xor_si256(a[RATE_WORDS - 1], last);
    for constant in ROUND_CONSTANTS {
        a = round!(a, xor5, xor3, chi, rotate);
        a[0] = _mm256_xor_si256(a[0], _mm256_set1_epi64x(constant.cast_signed()));
    }
    for (lanes, word) in states.0.iter_mut().zip(a) {
        // SAFETY: the four words are 32 writable bytes.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), word) }
    }
}

/// Transposes four words of each SIMD lane into four vectors, one per word.
#[target_feature(enable = "avx2")]
#[inline]
fn transpose([a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
    let (ab02, ab13) = (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    let (cd02, cd13) = (_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
    [
        _mm256_permute2x128_si256::<0x20>(ab02, cd02),
        _mm256_permute2x128_si256::<0x20>(ab13, cd13),
        _mm256_permute2x128_si256::<0x31>(ab02, cd02),
        _mm256_permute2x128_si256::<0x31>(ab13, cd13),
    ]
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(lanes: &[u64; 4]) -> __m256i {
    // SAFETY: four words are 32 readable bytes.
    unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_bytes(words: &[[u8; 8]; 4]) -> __m256i {
    // SAFETY: four times eight bytes are 32 readable bytes.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}

macro_rules! rotate {
    ($a:expr, $n:literal) => {{
        let a = $a;
        _mm256_or_si256(_mm256_slli_epi64::<$n>(a), _mm256_srli_epi64::<{ 64 - $n }>(a))
    }};
}
use rotate;

/// In this order, one sum of two parities serves five words.
#[target_feature(enable = "avx2")]
#[inline]
fn xor3(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_xor_si256(a, _mm256_xor_si256(b, c))
}

#[target_feature(enable = "avx2")]
#[inline]
fn xor5(a: __m256i, b: __m256i, c: __m256i, d: __m256i, e: __m256i) -> __m256i {
    xor3(a, xor3(b, c, d), e)
}

#[target_feature(enable = "avx2")]
#[inline]
fn chi(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_xor_si256(a, _mm256_andnot_si256(b, c))
}
