//! Eight words, one per SIMD lane.

use core::arch::x86_64::{
    __m512i, _mm512_loadu_si512, _mm512_shuffle_i64x2, _mm512_storeu_si512, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi64,
};

use crate::LANES;

/// A vector of these words.
///
/// # Safety
///
/// The CPU has AVX-512F.
#[target_feature(enable = "avx512f")]
#[inline]
pub fn load(words: &[u64; LANES]) -> __m512i {
    // SAFETY: eight words are 64 readable bytes.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

/// The words of a vector.
///
/// # Safety
///
/// The CPU has AVX-512F.
#[target_feature(enable = "avx512f")]
#[inline]
pub fn store(vector: __m512i) -> [u64; LANES] {
    let mut words = [0; LANES];
    // SAFETY: eight words are 64 writable bytes.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), vector) }
    words
}

/// Transposes eight words of each SIMD lane into eight vectors, and back.
///
/// # Safety
///
/// The CPU has AVX-512F.
#[target_feature(enable = "avx512f")]
#[inline]
pub fn transpose([r0, r1, r2, r3, r4, r5, r6, r7]: [__m512i; LANES]) -> [__m512i; LANES] {
    let even = [
        _mm512_unpacklo_epi64(r0, r1),
        _mm512_unpacklo_epi64(r2, r3),
        _mm512_unpacklo_epi64(r4, r5),
        _mm512_unpacklo_epi64(r6, r7),
    ];
    let odd = [
        _mm512_unpackhi_epi64(r0, r1),
        _mm512_unpackhi_epi64(r2, r3),
        _mm512_unpackhi_epi64(r4, r5),
        _mm512_unpackhi_epi64(r6, r7),
    ];
    let ([w0, w2, w4, w6], [w1, w3, w5, w7]) = (transpose_pairs(even), transpose_pairs(odd));
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
