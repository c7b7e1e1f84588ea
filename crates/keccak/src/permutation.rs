//! The rounds of keccak-f\[1600\], written once for all backends.

/// Bytes of a message that one permutation absorbs.
pub(crate) const RATE: usize = 136;

/// Words of [`RATE`].
pub(crate) const RATE_WORDS: usize = RATE / 8;

/// Words of a state; word `x + 5 * y` is at column `x` of row `y`.
pub(crate) const STATE_WORDS: usize = 25;

/// Round constants, added to the first word.
pub(crate) const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// Fills `tail` with the last, incomplete block of a message and its padding.
pub(crate) fn pad(rest: &[u8], tail: &mut [u8; RATE]) {
    assert!(rest.len() < RATE, "invariant: complete blocks are absorbed before");
    *tail = [0; RATE];
    tail[..rest.len()].copy_from_slice(rest);
    tail[rest.len()] = 0x01;
    tail[RATE - 1] |= 0x80;
}

/// One round on `$a`, an array of 25 words of any type; the value is the next such array, before
/// the round constant.
///
/// A macro, because functions that are generic over the word cannot require CPU features. The
/// operations are names in scope at the caller: `$xor5(a, b, c, d, e)` and `$xor3(a, b, c)` add,
/// the latter in any order; `$chi(a, b, c)` is `a ^ (!b & c)`; the macro `$rotate!(a, n)` rotates
/// to the left by `n`, 1 to 63.
macro_rules! round {
    ($a:ident, $xor5:ident, $xor3:ident, $chi:ident, $rotate:ident) => {{
        // θ: each word takes up the parities of two columns.
        let c0 = $xor5($a[0], $a[5], $a[10], $a[15], $a[20]);
        let c1 = $xor5($a[1], $a[6], $a[11], $a[16], $a[21]);
        let c2 = $xor5($a[2], $a[7], $a[12], $a[17], $a[22]);
        let c3 = $xor5($a[3], $a[8], $a[13], $a[18], $a[23]);
        let c4 = $xor5($a[4], $a[9], $a[14], $a[19], $a[24]);
        let (r0, r1, r2) = ($rotate!(c0, 1), $rotate!(c1, 1), $rotate!(c2, 1));
        let (r3, r4) = ($rotate!(c3, 1), $rotate!(c4, 1));
        // ρ and π: words are rotated and moved: a diagonal becomes a row.
        let b00 = $xor3($a[0], c4, r1);
        let b01 = $rotate!($xor3($a[6], c0, r2), 44);
        let b02 = $rotate!($xor3($a[12], c1, r3), 43);
        let b03 = $rotate!($xor3($a[18], c2, r4), 21);
        let b04 = $rotate!($xor3($a[24], c3, r0), 14);
        let b10 = $rotate!($xor3($a[3], c2, r4), 28);
        let b11 = $rotate!($xor3($a[9], c3, r0), 20);
        let b12 = $rotate!($xor3($a[10], c4, r1), 3);
        let b13 = $rotate!($xor3($a[16], c0, r2), 45);
        let b14 = $rotate!($xor3($a[22], c1, r3), 61);
        let b20 = $rotate!($xor3($a[1], c0, r2), 1);
        let b21 = $rotate!($xor3($a[7], c1, r3), 6);
        let b22 = $rotate!($xor3($a[13], c2, r4), 25);
        let b23 = $rotate!($xor3($a[19], c3, r0), 8);
        let b24 = $rotate!($xor3($a[20], c4, r1), 18);
        let b30 = $rotate!($xor3($a[4], c3, r0), 27);
        let b31 = $rotate!($xor3($a[5], c4, r1), 36);
        let b32 = $rotate!($xor3($a[11], c0, r2), 10);
        let b33 = $rotate!($xor3($a[17], c1, r3), 15);
        let b34 = $rotate!($xor3($a[23], c2, r4), 56);
        let b40 = $rotate!($xor3($a[2], c1, r3), 62);
        let b41 = $rotate!($xor3($a[8], c2, r4), 55);
        let b42 = $rotate!($xor3($a[14], c3, r0), 39);
        let b43 = $rotate!($xor3($a[15], c4, r1), 41);
        let b44 = $rotate!($xor3($a[21], c0, r2), 2);
        // χ: the only step that is not linear, within each row.
        [
            $chi(b00, b01, b02),
            $chi(b01, b02, b03),
            $chi(b02, b03, b04),
            $chi(b03, b04, b00),
            $chi(b04, b00, b01),
            $chi(b10, b11, b12),
            $chi(b11, b12, b13),
            $chi(b12, b13, b14),
            $chi(b13, b14, b10),
            $chi(b14, b10, b11),
            $chi(b20, b21, b22),
            $chi(b21, b22, b23),
            $chi(b22, b23, b24),
            $chi(b23, b24, b20),
            $chi(b24, b20, b21),
            $chi(b30, b31, b32),
            $chi(b31, b32, b33),
            $chi(b32, b33, b34),
            $chi(b33, b34, b30),
            $chi(b34, b30, b31),
            $chi(b40, b41, b42),
            $chi(b41, b42, b43),
            $chi(b42, b43, b44),
            $chi(b43, b44, b40),
            $chi(b44, b40, b41),
        ]
    }};
}
pub(crate) use round;
