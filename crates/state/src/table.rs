//! A dense hash table for millions of small entries. Growing neither copies nor doubles the
//! entries.
//!
//! Entries lie in chunks of fixed size. An entry keeps its number until it is removed, so other
//! structures can refer to it by number. An index with open addressing finds entries: each word
//! holds a 32-bit tag, which is a part of the key's hash, and an entry number. The tag alone
//! determines an entry's place in the index, so growing the index reads no entry. The hash only
//! determines the place: lookups compare whole keys.
//!
//! # Invariants
//!
//! - No place between a tag's home and its word is empty: removal shifts words back.
//! - The number of a removed entry is not reused before [`Table::release`], so that structures that
//!   refer to the entry can handle the removal first.

#[cfg(test)]
mod tests;

use alloc::{vec, vec::Vec};
use alloy_primitives::map::DefaultHashBuilder;
use core::hash::{BuildHasher, Hash};

/// Entries in a chunk.
const CHUNK_ENTRIES: usize = 1 << 14;
/// Entries that a table can hold. A reference to an entry has two bits left for its kind.
pub(crate) const ENTRIES_MAX: usize = 1 << 30;
/// Keys that [`Table::find_many`] looks up at a time.
pub(crate) const FIND_MAX: usize = 16;
/// An empty place of the index.
const EMPTY: u64 = u64::MAX;
/// Places of the smallest index.
const PLACES_MIN: usize = 32;

/// A key with its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableEntry<K, V> {
    pub(crate) key: K,
    pub(crate) value: V,
}

/// A map from keys to values that gives each entry a number.
#[derive(Clone)]
pub(crate) struct Table<K, V, S = DefaultHashBuilder> {
    chunks: Vec<Vec<TableEntry<K, V>>>,
    /// Entries created so far, including free ones.
    made: usize,
    free: Vec<u32>,
    retired: Vec<u32>,
    index: Vec<u64>,
    hasher: S,
}

/// A share of a table's values: every `shares`-th chunk.
pub(crate) struct TableShare<'a, K, V> {
    chunks: Vec<&'a mut [TableEntry<K, V>]>,
    number: usize,
    shares: usize,
}

impl<K, V> TableShare<'_, K, V> {
    /// The value of the entry with this number, if it is in this share.
    #[inline]
    pub(crate) fn value_mut(&mut self, number: u32) -> Option<&mut V> {
        let number = number as usize;
        let chunk = number / CHUNK_ENTRIES;
        if chunk % self.shares != self.number {
            return None;
        }
        Some(&mut self.chunks[chunk / self.shares][number % CHUNK_ENTRIES].value)
    }
}

impl<K, V, S> core::fmt::Debug for Table<K, V, S> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Table").field("made", &self.made).finish_non_exhaustive()
    }
}

impl<K, V, S: Default> Default for Table<K, V, S> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            made: 0,
            free: Vec::new(),
            retired: Vec::new(),
            index: vec![EMPTY; PLACES_MIN],
            hasher: S::default(),
        }
    }
}

impl<K: Copy + Eq + Hash, V: Copy, S: BuildHasher> Table<K, V, S> {
    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.made - self.free.len() - self.retired.len()
    }

    /// Bytes that the table takes.
    pub(crate) fn memory(&self) -> usize {
        let entries: usize = self.chunks.iter().map(Vec::capacity).sum();
        entries * size_of::<TableEntry<K, V>>()
            + self.index.capacity() * 8
            + (self.free.capacity() + self.retired.capacity()) * 4
    }

    /// The entry number of a key.
    #[inline]
    pub(crate) fn find(&self, key: &K) -> Option<u32> {
        let tag = self.tag(key);
        self.find_from(self.home(tag), tag, key)
    }

    /// The entry numbers of up to [`FIND_MAX`] keys. All places are read first, so that the cache
    /// misses overlap.
    pub(crate) fn find_many<'a>(
        &self,
        keys: impl Iterator<Item = &'a K>,
    ) -> ([Option<u32>; FIND_MAX], usize)
    where
        K: 'a,
    {
        let mut found = [None; FIND_MAX];
        let mut probes = [(0, 0, EMPTY, None); FIND_MAX];
        let mut count = 0;
        for (probe, key) in probes.iter_mut().zip(keys) {
            let tag = self.tag(key);
            let home = self.home(tag);
            *probe = (home, tag, self.index[home], Some(key));
            count += 1;
        }
        for ((home, tag, word, key), found) in probes[..count].iter().zip(&mut found) {
            let Some(key) = key else { break };
            let (word_tag, number) = split(*word);
            *found = if *word != EMPTY && word_tag == *tag && self.entry(number).key == **key {
                Some(number)
            } else {
                self.find_from(*home, *tag, key)
            };
        }
        (found, count)
    }

    /// The entry with this number.
    #[inline]
    pub(crate) fn entry(&self, number: u32) -> &TableEntry<K, V> {
        let number = number as usize;
        &self.chunks[number / CHUNK_ENTRIES][number % CHUNK_ENTRIES]
    }

    /// The value of the entry with this number.
    #[inline]
    pub(crate) fn value_mut(&mut self, number: u32) -> &mut V {
        let number = number as usize;
        &mut self.chunks[number / CHUNK_ENTRIES][number % CHUNK_ENTRIES].value
    }

    /// Divides the values into shares, chunk by chunk, so that workers can change them in parallel.
    pub(crate) fn shares_mut(&mut self, shares: usize) -> Vec<TableShare<'_, K, V>> {
        let mut all: Vec<TableShare<'_, K, V>> =
            (0..shares).map(|number| TableShare { chunks: Vec::new(), number, shares }).collect();
        for (number, chunk) in self.chunks.iter_mut().enumerate() {
            all[number % shares].chunks.push(chunk);
        }
        all
    }

    /// Adds an entry for a key that is not in the table.
    pub(crate) fn insert(&mut self, key: K, value: V) -> u32 {
        if (self.len() + 1) * 5 > self.index.len() * 4 {
            self.grow();
        }
        let entry = TableEntry { key, value };
        let number = match self.free.pop() {
            Some(number) => {
                let at = number as usize;
                self.chunks[at / CHUNK_ENTRIES][at % CHUNK_ENTRIES] = entry;
                number
            }
            None => self.push(entry),
        };
        let tag = self.tag(&key);
        self.place(word_of(tag, number));
        number
    }

    /// Removes an entry. Its content can be read until [`Table::release`].
    pub(crate) fn remove(&mut self, number: u32) {
        let tag = self.tag(&self.entry(number).key);
        let word = word_of(tag, number);
        let mut hole = self.home(tag);
        while self.index[hole] != word {
            assert!(self.index[hole] != EMPTY, "invariant: a live entry is in the index");
            hole = self.after(hole);
        }
        let mut at = self.after(hole);
        while self.index[at] != EMPTY {
            let home = self.home(split(self.index[at]).0);
            if self.distance(home, at) >= self.distance(hole, at) {
                self.index[hole] = self.index[at];
                hole = at;
            }
            at = self.after(at);
        }
        self.index[hole] = EMPTY;
        self.retired.push(number);
    }

    /// Allows the numbers of removed entries to be reused.
    pub(crate) fn release(&mut self) {
        self.free.append(&mut self.retired);
    }

    /// All entries, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &TableEntry<K, V>)> {
        let mut gone = vec![0_u64; if self.len() == self.made { 0 } else { self.made / 64 + 1 }];
        for number in self.free.iter().chain(&self.retired) {
            gone[*number as usize / 64] |= 1 << (number % 64);
        }
        let numbers = 0_u32..;
        numbers.zip(self.chunks.iter().flatten()).filter(move |(number, _)| {
            gone.get(*number as usize / 64).is_none_or(|word| word >> (number % 64) & 1 == 0)
        })
    }

    fn push(&mut self, entry: TableEntry<K, V>) -> u32 {
        assert!(self.made < ENTRIES_MAX, "invariant: a table has at most 2^30 entries");
        let number = u32::try_from(self.made).expect("invariant: entry numbers have 30 bits");
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK_ENTRIES => chunk.push(entry),
            last => {
                // Only the first chunk grows gradually, so that a small table stays small.
                let capacity = if last.is_some() { CHUNK_ENTRIES } else { 0 };
                let mut chunk = Vec::with_capacity(capacity);
                chunk.push(entry);
                self.chunks.push(chunk);
            }
        }
        self.made += 1;
        number
    }

    #[inline]
    fn find_from(&self, mut at: usize, tag: u32, key: &K) -> Option<u32> {
        loop {
            let word = self.index[at];
            if word == EMPTY {
                return None;
            }
            let (word_tag, number) = split(word);
            if word_tag == tag && self.entry(number).key == *key {
                return Some(number);
            }
            at = self.after(at);
        }
    }

    /// Grows the index by half. Places are monotonic in tags, so this merges two sequences instead
    /// of accessing memory at random.
    fn grow(&mut self) {
        let places = self.index.len() + self.index.len() / 2;
        let old = core::mem::replace(&mut self.index, vec![EMPTY; places]);
        for word in old {
            if word != EMPTY {
                self.place(word);
            }
        }
    }

    fn place(&mut self, word: u64) {
        let mut at = self.home(split(word).0);
        while self.index[at] != EMPTY {
            at = self.after(at);
        }
        self.index[at] = word;
    }

    #[inline]
    fn tag(&self, key: &K) -> u32 {
        split(self.hasher.hash_one(key)).0
    }

    /// The place where the search for a tag begins.
    #[inline]
    fn home(&self, tag: u32) -> usize {
        let place = (u64::from(tag) * self.index.len() as u64) >> 32;
        usize::try_from(place).expect("invariant: a place is less than the index is long")
    }

    #[inline]
    fn after(&self, place: usize) -> usize {
        if place + 1 == self.index.len() { 0 } else { place + 1 }
    }

    /// Number of steps from one place forward to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.index.len() - from }
    }
}

#[inline]
fn word_of(tag: u32, number: u32) -> u64 {
    u64::from(tag) << 32 | u64::from(number)
}

/// Splits a word into tag and entry number.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "takes a word apart")]
fn split(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}
