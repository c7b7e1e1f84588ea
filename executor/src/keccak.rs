//! A memo of KECCAK256. Mappings find their slots by hashing 64 bytes, and blocks hash the same few
//! inputs repeatedly.

use alloc::vec::Vec;

use alloy_primitives::{B256, keccak256};

/// Bytes of a memoized input: a key and the position of its mapping.
pub(crate) const INPUT_BYTES: usize = 64;

/// Number of memoized hashes, as a power of two: 400 KiB on a node, next to nothing in the proof
/// program.
const ENTRIES_LOG2: u32 = if cfg!(feature = "std") { 12 } else { 6 };

/// Hashes of 64-byte inputs. Each input has one possible entry, which holds the latest input that
/// maps to it.
#[derive(Debug, Default)]
pub(crate) struct KeccakMemo {
    /// Empty until the first hash.
    entries: Vec<([u8; INPUT_BYTES], B256)>,
}

impl KeccakMemo {
    /// Stores the hash of an input.
    pub(crate) fn set(&mut self, input: &[u8; INPUT_BYTES], hash: B256) {
        *self.entry(input) = (*input, hash);
    }

    pub(crate) fn hash(&mut self, input: &[u8; INPUT_BYTES]) -> B256 {
        let (known, hash) = self.entry(input);
        if known != input {
            (*known, *hash) = (*input, keccak256(input));
        }
        *hash
    }

    #[inline]
    fn entry(&mut self, input: &[u8; INPUT_BYTES]) -> &mut ([u8; INPUT_BYTES], B256) {
        if self.entries.is_empty() {
            // The initial entries hold a valid hash, even if their input belongs to another entry.
            let zeros = [0; INPUT_BYTES];
            self.entries = alloc::vec![(zeros, keccak256(zeros)); 1 << ENTRIES_LOG2];
        }
        &mut self.entries[place(input)]
    }
}

/// The entry of an input. Colliding inputs are hashed again, at no other cost.
fn place(input: &[u8; INPUT_BYTES]) -> usize {
    let (words, _) = input.as_chunks::<8>();
    let mix = words.iter().fold(0_u64, |mix, word| {
        (mix.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    usize::try_from(mix >> (u64::BITS - ENTRIES_LOG2))
        .expect("invariant: an entry's position fits usize")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memoized_hashes_are_right_after_overwrites() {
        let mut memo = KeccakMemo::default();
        let input = |seed: u64| {
            let mut input = [0; INPUT_BYTES];
            input[24..32].copy_from_slice(&seed.to_be_bytes());
            input
        };
        // More inputs than entries, twice, so that every entry is overwritten and queried again.
        for round in 0..2 {
            for seed in 0..3 << ENTRIES_LOG2 {
                let input = input(seed);
                assert_eq!(memo.hash(&input), keccak256(input), "round {round}, input {seed}");
            }
            assert_eq!(memo.hash(&input(1)), memo.hash(&input(1)));
        }
    }
}
