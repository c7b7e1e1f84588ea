//! One message at a time, on any CPU.

use crate::permutation::{RATE, ROUND_CONSTANTS, STATE_WORDS, pad, round};

/// Keccak-256 of one message.
#[must_use]
pub fn keccak256(message: &[u8]) -> [u8; 32] {
    let mut state = [0; STATE_WORDS];
    let (blocks, rest) = message.as_chunks::<RATE>();
    for block in blocks {
        absorb(&mut state, block);
    }
    let mut tail = [0; RATE];
    pad(rest, &mut tail);
    absorb(&mut state, &tail);
    let mut hash = [0; 32];
    for (bytes, word) in hash.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_le_bytes();
    }
    hash
}

fn absorb(state: &mut [u64; STATE_WORDS], block: &[u8; RATE]) {
    for (word, bytes) in state.iter_mut().zip(block.as_chunks().0) {
        *word ^= u64::from_le_bytes(*bytes);
    }
    permute(state);
}

fn permute(state: &mut [u64; STATE_WORDS]) {
    let mut a = *state;
    for constant in ROUND_CONSTANTS {
        a = round!(a, xor5, xor3, chi, rotate);
        a[0] ^= constant;
    }
    *state = a;
}

macro_rules! rotate {
    ($a:expr, $n:literal) => {
        u64::rotate_left($a, $n)
    };
}
use rotate;

#[inline(always)]
fn xor5(a: u64, b: u64, c: u64, d: u64, e: u64) -> u64 {
    a ^ b ^ c ^ d ^ e
}

/// In this order, one sum of two parities serves five words.
#[inline(always)]
fn xor3(a: u64, b: u64, c: u64) -> u64 {
    a ^ (b ^ c)
}

#[inline(always)]
fn chi(a: u64, b: u64, c: u64) -> u64 {
    a ^ (!b & c)
}
