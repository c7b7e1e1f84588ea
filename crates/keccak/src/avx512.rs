//! Eight SIMD lanes in the 512-bit registers of AVX-512F.

use core::arch::x86_64::{
    __m512i, _mm512_and_si512, _mm512_loadu_si512, _mm512_rol_epi64, _mm512_set_epi64,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_shuffle_i64x2, _mm512_storeu_si512,
    _mm512_ternarylogic_epi64, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use crate::{
    batch::{Sponge, States},
    permutation::{RATE, RATE_WORDS, ROUND_CONSTANTS, STATE_WORDS, round},
};

/// Proof that the CPU has AVX-512F.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// `None` if the CPU is not known to have AVX-512F.
    pub(crate) fn new() -> Option<Self> {
        #[cfg(feature = "std")]
        let available = std::arch::is_x86_feature_detected!("avx512f");
        #[cfg(not(feature = "std"))]
        let available = cfg!(target_feature = "avx512f");
        available.then_some(Self(()))
    }
}

impl Sponge<8> for Avx512 {
    fn absorb(self, states: &mut States<8>, keep: &[u64; 8], blocks: [&[u8; RATE]; 8]) {
        // SAFETY: `self` exists only on CPUs with AVX-512F.
        unsafe { absorb(states, keep, blocks) }
    }
}

#[target_feature(enable = "avx512f")]
fn absorb(states: &mut States<8>, keep: &[u64; 8], blocks: [&[u8; RATE]; 8]) {
    let keep = load(keep);
    let mut a = [_mm512_setzero_si512(); STATE_WORDS];
    for (word, lanes) in a.iter_mut().zip(&states.0) {
        *word = _mm512_and_si512(load(lanes), keep);
    }
    let words = blocks.map(|block| block.as_chunks::<8>().0);
    for first in [0, 8] {
        let rows = words.map(|words| words[first..].first_chunk().expect("invariant: 17 words"));
        let columns = transpose(rows.map(|row: &[[u8; 8]; 8]| load_bytes(row)));
        for (word, column) in a[first..].iter_mut().zip(columns) {
            *word = _mm512_xor_si512(*word, column);
        }
    }
    let [l0, l1, l2, l3, l4, l5, l6, l7] =
        words.map(|words| i64::from_le_bytes(words[RATE_WORDS - 1]));
    let last = _mm512_set_epi64(l7, l6, l5, l4, l3, l2, l1, l0);
    a[RATE_WORDS - 1] = _mm512_xor_si512(a[RATE_WORDS - 1], last);
    for constant in ROUND_CONSTANTS {
        a = round!(a, xor5, xor3, chi, rotate);
        a[0] = _mm512_xor_si512(a[0], _mm512_set1_epi64(constant.cast_signed()));
    }
    for (lanes, word) in states.0.iter_mut().zip(a) {
        // SAFETY: the eight words are 64 writable bytes.
        unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), word) }
    }
}

/// Transposes eight words of each SIMD lane into eight vectors, one per word.
#[target_feature(enable = "avx512f")]
#[inline]
fn transpose([r0, r1, r2, r3, r4, r5, r6, r7]: [__m512i; 8]) -> [__m512i; 8] {
    // Even words of two SIMD lanes, pair by pair, and odd ones.
    let [e0, e1, e2, e3] = [
        _mm512_unpacklo_epi64(r0, r1),
        _mm512_unpacklo_epi64(r2, r3),
        _mm512_unpacklo_epi64(r4, r5),
        _mm512_unpacklo_epi64(r6, r7),
    ];
    let [o0, o1, o2, o3] = [
        _mm512_unpackhi_epi64(r0, r1),
        _mm512_unpackhi_epi64(r2, r3),
        _mm512_unpackhi_epi64(r4, r5),
        _mm512_unpackhi_epi64(r6, r7),
    ];
    let ([w0, w2, w4, w6], [w1, w3, w5, w7]) =
        (transpose_pairs([e0, e1, e2, e3]), transpose_pairs([o0, o1, o2, o3]));
    [w0, w1, w2, w3, w4, w5, w6, w7]
}

/// Transposes four rows of four pairs of words.
#[target_feature(enable = "avx512f")]
#[inline]
fn transpose_pairs([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let ab02 = _mm512_shuffle_i64x2::<0x88>(a, b);
    let ab13 = _mm512_shuffle_i64x2::<0xdd>(a, b);
    let cd02 = _mm512_shuffle_i64x2::<0x88>(c, d);
    let cd13 = _mm512_shuffle_i64x2::<0xdd>(c, d);
    [
        _mm512_shuffle_i64x2::<0x88>(ab02, cd02),
        _mm512_shuffle_i64x2::<0x88>(ab13, cd13),
        _mm512_shuffle_i64x2::<0xdd>(ab02, cd02),
        _mm512_shuffle_i64x2::<0xdd>(ab13, cd13),
    ]
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load_bytes(words: &[[u8; 8]; 8]) -> __m512i {
    // SAFETY: eight times eight bytes are 64 readable bytes.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load(lanes: &[u64; 8]) -> __m512i {
    // SAFETY: eight words are 64 readable bytes.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

macro_rules! rotate {
    ($a:expr, $n:literal) => {
        _mm512_rol_epi64::<$n>($a)
    };
}
use rotate;

#[target_feature(enable = "avx512f")]
#[inline]
fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64::<0x96>(a, b, c)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn xor5(a: __m512i, b: __m512i, c: __m512i, d: __m512i, e: __m512i) -> __m512i {
    xor3(xor3(a, b, c), d, e)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn chi(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    // a ^ (!b & c)
    _mm512_ternarylogic_epi64::<0xd2>(a, b, c)
}
