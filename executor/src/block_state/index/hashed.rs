//! Positions by key, in a hash table. The node uses it.

use alloc::{vec, vec::Vec};
use core::{
    fmt,
    hash::{BuildHasher, Hash},
    marker::PhantomData,
};

use alloy_primitives::map::DefaultHashBuilder;

/// Positions by key, in an open-addressing hash table. A word holds a position and a tag, which is
/// a part of the key's hash. At eight bytes per word the table fits the cache when the keys would
/// not, and one word is usually enough to see that a key is missing. The caller compares the full
/// key of each candidate.
pub(in crate::block_state) struct KeyIndex<K> {
    words: Vec<u64>,
    len: usize,
    hasher: DefaultHashBuilder,
    key: PhantomData<K>,
}

impl<K> Default for KeyIndex<K> {
    fn default() -> Self {
        let (words, hasher) = (Vec::new(), DefaultHashBuilder::default());
        Self { words, len: 0, hasher, key: PhantomData }
    }
}

impl<K> fmt::Debug for KeyIndex<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyIndex").field("len", &self.len).finish_non_exhaustive()
    }
}

/// An empty word.
const EMPTY: u64 = u64::MAX;

/// Words of the smallest table.
const WORDS_MIN: usize = 64;

/// A table that is this many times larger than its last block needed is freed.
const SLACK_MAX: usize = 32;

impl<K: Hash> KeyIndex<K> {
    /// The position of a key. `is_key` returns whether the item at a position has this key.
    #[inline]
    pub(in crate::block_state) fn find(
        &self,
        key: &K,
        is_key: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        if self.words.is_empty() {
            return None;
        }
        let tag = self.tag(key);
        let mut at = self.home(tag);
        loop {
            let word = self.words[at];
            if word == EMPTY {
                return None;
            }
            let (found, place) = split(word);
            if found == tag && is_key(place) {
                return Some(place);
            }
            at = self.after(at);
        }
    }

    /// Stores the position of a key that the index does not have.
    pub(in crate::block_state) fn insert(&mut self, key: K, place: usize) {
        if (self.len + 1) * 2 > self.words.len() {
            self.grow();
        }
        let place = u64::try_from(place).expect("invariant: a position has at most 64 bits");
        assert!(place < u64::from(u32::MAX), "invariant: a block touches fewer than 2^32 - 1 keys");
        self.put(u64::from(self.tag(&key)) << 32 | place);
        self.len += 1;
    }

    pub(in crate::block_state) fn clear(&mut self) {
        if self.words.len() > SLACK_MAX * self.len.max(WORDS_MIN) {
            self.words = Vec::new();
        }
        self.words.fill(EMPTY);
        self.len = 0;
    }

    fn put(&mut self, word: u64) {
        let mut at = self.home(split(word).0);
        while self.words[at] != EMPTY {
            at = self.after(at);
        }
        self.words[at] = word;
    }

    fn grow(&mut self) {
        let larger = vec![EMPTY; (self.words.len() * 2).max(WORDS_MIN)];
        for word in core::mem::replace(&mut self.words, larger) {
            if word != EMPTY {
                self.put(word);
            }
        }
    }

    #[inline]
    fn tag(&self, key: &K) -> u32 {
        split(self.hasher.hash_one(key)).0
    }

    /// The place where the search for a tag begins.
    #[inline]
    fn home(&self, tag: u32) -> usize {
        let place = (u64::from(tag) * self.words.len() as u64) >> 32;
        usize::try_from(place).expect("invariant: a position is below the table's length")
    }

    #[inline]
    const fn after(&self, at: usize) -> usize {
        if at + 1 == self.words.len() { 0 } else { at + 1 }
    }
}

/// Splits a word into tag and position.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "takes a word apart")]
const fn split(word: u64) -> (u32, usize) {
    ((word >> 32) as u32, word as u32 as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn keys_are_found_where_they_were_inserted() {
        let (mut index, mut keys) = (KeyIndex::default(), Vec::new());
        for round in 0..3_u64 {
            let mut model = HashMap::new();
            // The last round is small after a large one.
            for seed in 0..[10_000, 20_000, 5][usize::try_from(round).expect("fits usize")] {
                let key = (seed * 7 + round) % 6_000;
                let found = index.find(&key, |place| keys[place] == key);
                assert_eq!(found, model.get(&key).copied(), "key {key}");
                if found.is_none() {
                    index.insert(key, keys.len());
                    model.insert(key, keys.len());
                    keys.push(key);
                }
            }
            index.clear();
            keys.clear();
        }
        assert!(index.words.len() < 20_000);
    }
}
