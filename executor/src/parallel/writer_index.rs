//! Finds the first expected writer of each key.

use std::{
    fmt,
    hash::{BuildHasher, Hash},
};

use alloy_primitives::map::DefaultHashBuilder;

use super::workers::{Panicked, Workers};

/// Maps each key to the first number that was given for it.
///
/// A part of a key's hash selects one of several shards. One worker fills each shard, a hash table,
/// so threads share nothing. A word holds a part of the hash and the number. A lookup compares the
/// full key behind the number.
pub(crate) struct WriterIndex {
    shards: Vec<Vec<u64>>,
    hasher: DefaultHashBuilder,
}

impl fmt::Debug for WriterIndex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WriterIndex").finish_non_exhaustive()
    }
}

/// Number of shards, as a power of two.
const SHARDS_LOG2: u32 = 4;

const SHARDS: usize = 1 << SHARDS_LOG2;

/// An empty word.
const EMPTY: u64 = u64::MAX;

/// Minimum number of words per shard.
const WORDS_MIN: usize = 8;

impl WriterIndex {
    /// Indexes the keys of several parts, in order, each under its number. Calls `known` for each
    /// repeated key, with its number and the first number.
    pub(crate) fn new<'k, K, I>(
        workers: &Workers,
        parts: usize,
        keys_of: impl Fn(usize) -> I + Sync,
        key_of: impl Fn(u32) -> &'k K + Sync,
        known: impl Fn(u32, u32) + Sync,
    ) -> Result<Self, Panicked>
    where
        K: Hash + Eq + 'k,
        I: Iterator<Item = (&'k K, u32)>,
    {
        let hasher = DefaultHashBuilder::default();
        let deal = |(): &mut (), part| {
            let named = keys_of(part).map(|(key, number)| word(tag(&hasher, key), number));
            DealtWords::deal(named)
        };
        let dealt: Vec<DealtWords> = workers.map(parts, || (), deal)?;
        let fill = |(): &mut (), shard: usize| {
            let count: usize = dealt.iter().map(|hands| hands.of(shard).len()).sum();
            let mut words = vec![EMPTY; (2 * count).next_power_of_two().max(WORDS_MIN)];
            for word in dealt.iter().flat_map(|hands| hands.of(shard)) {
                let (tag, number) = split(*word);
                let is_key = |first| key_of(first) == key_of(number);
                match find(&words, tag, is_key) {
                    Ok(first) => known(number, first),
                    Err(free) => words[free] = *word,
                }
            }
            words
        };
        let shards = workers.map(SHARDS, || (), fill)?;
        Ok(Self { shards, hasher })
    }

    /// The first number that was given for a key.
    #[inline]
    pub(crate) fn find<'k, K: Hash + Eq + 'k>(
        &self,
        key: &K,
        key_of: impl Fn(u32) -> &'k K,
    ) -> Option<u32> {
        let tag = tag(&self.hasher, key);
        find(&self.shards[shard_of(tag)], tag, |number| key_of(number) == key).ok()
    }
}

/// The words of one part, grouped by shard.
struct DealtWords {
    words: Vec<u64>,
    /// Where each shard's words begin. The last entry is the end.
    bounds: [usize; SHARDS + 1],
}

impl DealtWords {
    fn deal(named: impl Iterator<Item = u64>) -> Self {
        let mut all = Vec::with_capacity(named.size_hint().1.unwrap_or_default());
        all.extend(named);
        let mut bounds = [0; SHARDS + 1];
        for word in &all {
            bounds[shard_of(split(*word).0) + 1] += 1;
        }
        for shard in 0..SHARDS {
            bounds[shard + 1] += bounds[shard];
        }
        let mut next = bounds;
        let mut words = vec![EMPTY; all.len()];
        for word in all {
            let place = &mut next[shard_of(split(word).0)];
            words[*place] = word;
            *place += 1;
        }
        Self { words, bounds }
    }

    fn of(&self, shard: usize) -> &[u64] {
        &self.words[self.bounds[shard]..self.bounds[shard + 1]]
    }
}

/// The number of a key, or the free position where it belongs.
#[inline]
fn find(words: &[u64], wanted: u32, is_key: impl Fn(u32) -> bool) -> Result<u32, usize> {
    // The upper bits of the tag already selected the shard. The rest of the tag selects the
    // position.
    let rest = u64::from(wanted << SHARDS_LOG2);
    let home = (rest * words.len() as u64) >> 32;
    let mut at = usize::try_from(home).expect("invariant: a position is below the shard's length");
    loop {
        let word = words[at];
        if word == EMPTY {
            return Err(at);
        }
        let (tag, number) = split(word);
        if tag == wanted && is_key(number) {
            return Ok(number);
        }
        at = if at + 1 == words.len() { 0 } else { at + 1 };
    }
}

#[inline]
fn tag<K: Hash>(hasher: &DefaultHashBuilder, key: &K) -> u32 {
    split(hasher.hash_one(key)).0
}

#[inline]
const fn shard_of(tag: u32) -> usize {
    (tag >> (u32::BITS - SHARDS_LOG2)) as usize
}

#[inline]
fn word(tag: u32, number: u32) -> u64 {
    u64::from(tag) << 32 | u64::from(number)
}

/// Splits a word into tag and number.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "takes a word apart")]
const fn split(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Mutex};

    use super::*;

    #[test]
    fn first_number_of_each_key_is_found_with_any_worker_count() {
        // Each key occurs three times, in parts of different lengths.
        let keys: Vec<u64> = (0..3_000).map(|at| at * 7_919 % 1_000).collect();
        let parts: Vec<Vec<u32>> =
            vec![(0..10).collect(), (10..2_000).collect(), vec![], (2_000..3_000).collect()];
        let mut first = BTreeMap::new();
        for (number, key) in (0_u32..).zip(&keys) {
            first.entry(*key).or_insert(number);
        }
        for count in [1, 2, 8] {
            let repeated = Mutex::new(Vec::new());
            let key_of = |number: u32| &keys[number as usize];
            let keys_of = |part: usize| parts[part].iter().map(|at| (key_of(*at), *at));
            let known = |number, first| repeated.lock().expect("no panic").push((number, first));
            let workers = Workers::new(count);
            let writers = WriterIndex::new(&workers, parts.len(), keys_of, key_of, known);
            let writers = writers.expect("no panic");
            for (key, number) in &first {
                assert_eq!(writers.find(key, key_of), Some(*number), "{count} workers");
            }
            assert_eq!(writers.find(&1_000, key_of), None);
            let repeated = repeated.into_inner().expect("no panic");
            assert_eq!(repeated.len(), 2_000);
            for (number, known) in repeated {
                assert_eq!(first[key_of(number)], known);
            }
        }
    }
}
