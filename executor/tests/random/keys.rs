//! Addresses and slots that are easily confused.

use alloy_primitives::{Address, U256};

use super::Rng;

/// The Fx hash: rotate by five bits, xor the word, multiply by this.
const FX: u64 = 0x517c_c1b7_2722_0a95;

/// Index of the first library, beyond a world's other contracts.
const LIBRARIES_FROM: usize = 800;

/// An account with a key. Addresses come in families that differ only in two bytes: at the end, at
/// the start, or in the middle.
pub(crate) fn person(index: usize) -> Address {
    let mut bytes = [0xa0; 20];
    bytes[[18, 0, 9, 5][index % 4]] ^= 1 + u8::try_from(index / 4 % 250).expect("a byte");
    bytes[19 - index % 4] ^= u8::try_from(index / 1_000).expect("fits 8 bits");
    bytes.into()
}

/// An account with code, with addresses in the same families.
pub(crate) fn contract(index: usize) -> Address {
    let mut bytes = [0xc0; 20];
    bytes[[19, 0, 10, 4][index % 4]] ^= 1 + u8::try_from(index / 4).expect("fits 8 bits");
    bytes.into()
}

/// A contract that other contracts call, and transactions rarely.
pub(crate) fn library(index: usize) -> Address {
    contract(LIBRARIES_FROM + index)
}

/// An existing empty account, as there were before EIP-161.
pub(crate) const fn empty(index: u8) -> Address {
    Address::repeat_byte(0xe0 + index)
}

/// A precompile of any fork, or the address after the last precompile.
pub(crate) fn precompile(rng: &mut Rng) -> Address {
    match rng.below(20) {
        0 => Address::with_last_byte(0),
        19 => Address::left_padding_from(&[1, 0]),
        index => Address::with_last_byte(u8::try_from(index).expect("fits 8 bits")),
    }
}

const fn mixed(words: [u64; 4], upto: usize) -> u64 {
    let (mut hash, mut at) = (0_u64, 0);
    while at < upto {
        hash = (hash.rotate_left(5) ^ words[at]).wrapping_mul(FX);
        at += 1;
    }
    hash
}

/// A word with the same hash as `words` and another first half, for a hasher that reads words from
/// the front.
const fn twin(words: [u64; 4], first: u64) -> [u64; 4] {
    let mut twin = [first, words[1], words[2], words[3]];
    twin[1] = mixed(words, 1).rotate_left(5) ^ words[1] ^ mixed(twin, 1).rotate_left(5);
    twin
}

/// A word whose sum after a multiplication equals that of `words` (the later version of the same
/// hash).
const fn sum_twin(words: [u64; 4], first: u64) -> [u64; 4] {
    const FACTOR: u64 = 0xf135_7aea_2e62_a9c5;
    let by_first = words[0].wrapping_sub(first).wrapping_mul(FACTOR);
    [first, words[1].wrapping_add(by_first), words[2], words[3]]
}

/// Words of which many agree in one half, in a sum or under a hash.
pub(crate) fn colliding(rng: &mut Rng) -> U256 {
    const BASE: [u64; 4] = [1, 2, 3, 4];
    let words = [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
        [1, 7, 0, 0],
        [1, 0, 0, 7],
        BASE,
        [4, 3, 2, 1],
        twin(BASE, 5),
        sum_twin(BASE, 5),
    ];
    let mut words = rng.pick(&words);
    if rng.percent(30) {
        // Reverse the words for hashers that read from the other end.
        words.reverse();
    }
    U256::from_limbs(words)
}

/// A slot that programs use, mostly one of a few.
pub(crate) fn slot(rng: &mut Rng) -> U256 {
    if rng.percent(85) { U256::from(rng.below(4)) } else { colliding(rng) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twin_keys_collide_in_their_lowest_bits() {
        for words in [[1, 2, 3, 4], [0, 0, 0, 9]] {
            assert_ne!(twin(words, 5), words);
            assert_eq!(mixed(twin(words, 5), 4), mixed(words, 4));
        }
    }

    #[test]
    fn people_and_contracts_have_different_addresses() {
        let mut all: Vec<_> = (0..400).map(person).chain((0..100).map(contract)).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 500);
    }
}
