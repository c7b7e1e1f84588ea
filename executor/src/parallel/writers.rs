use std::{
    fmt,
    hash::{BuildHasher, Hash},
    sync::atomic::{AtomicU64, Ordering},
};

use alloy_primitives::map::DefaultHashBuilder;

/// A hash table that many threads fill at a time, without a lock: for each key the first who named it, by number.
///
/// A word holds a part of the key's hash and the number; whoever asks finds the key by its number and compares it in
/// full. Words are written once.
pub(crate) struct Writers {
    words: Vec<AtomicU64>,
    hasher: DefaultHashBuilder,
}

impl fmt::Debug for Writers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Writers").field("words", &self.words.len()).finish_non_exhaustive()
    }
}

/// A word that says nothing.
const EMPTY: u64 = u64::MAX;

/// Keys whose places are looked at together, so that the waits for memory overlap.
pub(crate) const TOGETHER: usize = 16;

impl Writers {
    /// A table for at most so many keys.
    pub(crate) fn new(keys: usize) -> Self {
        let words = (2 * keys).next_power_of_two().max(TOGETHER);
        let words = (0..words).map(|_| AtomicU64::new(EMPTY)).collect();
        Self { words, hasher: DefaultHashBuilder::default() }
    }

    /// Notes keys, each under its number, and tells for each that was known before under which.
    pub(crate) fn note<'k, K: Hash + Eq + 'k>(
        &self,
        keys: impl Iterator<Item = (&'k K, u32)> + Clone,
        key_of: impl Fn(u32) -> &'k K,
        mut known: impl FnMut(u32, u32),
    ) {
        let mut homes = [(0, 0); TOGETHER];
        let mut keys = keys.peekable();
        while keys.peek().is_some() {
            let some = keys.clone();
            let mut count = 0;
            for (home, (key, _)) in homes.iter_mut().zip(some) {
                let tag = self.tag(key);
                *home = (tag, self.home(tag));
                std::hint::black_box(self.words[home.1].load(Ordering::Relaxed));
                count += 1;
            }
            for ((tag, home), (key, number)) in homes[..count].iter().zip(keys.by_ref()) {
                if let Some(first) = self.note_one(*tag, *home, key, number, &key_of) {
                    known(number, first);
                }
            }
        }
    }

    fn note_one<'k, K: Eq + 'k>(
        &self,
        tag: u32,
        home: usize,
        key: &K,
        number: u32,
        key_of: impl Fn(u32) -> &'k K,
    ) -> Option<u32> {
        let word = u64::from(tag) << 32 | u64::from(number);
        let mut at = home;
        loop {
            let held = match self.words[at].load(Ordering::Relaxed) {
                EMPTY => {
                    let swapped = self.words[at].compare_exchange(
                        EMPTY,
                        word,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                    match swapped {
                        Ok(_) => return None,
                        Err(held) => held,
                    }
                }
                held => held,
            };
            let (held_tag, first) = split(held);
            if held_tag == tag && key_of(first) == key {
                return Some(first);
            }
            at = self.after(at);
        }
    }

    /// The number under which a key was noted first.
    #[inline]
    pub(crate) fn find<'k, K: Hash + Eq + 'k>(
        &self,
        key: &K,
        key_of: impl Fn(u32) -> &'k K,
    ) -> Option<u32> {
        let tag = self.tag(key);
        let mut at = self.home(tag);
        loop {
            let held = self.words[at].load(Ordering::Relaxed);
            if held == EMPTY {
                return None;
            }
            let (held_tag, first) = split(held);
            if held_tag == tag && key_of(first) == key {
                return Some(first);
            }
            at = self.after(at);
        }
    }

    #[inline]
    fn tag<K: Hash>(&self, key: &K) -> u32 {
        split(self.hasher.hash_one(key)).0
    }

    #[inline]
    fn home(&self, tag: u32) -> usize {
        let place = (u64::from(tag) * self.words.len() as u64) >> 32;
        usize::try_from(place).expect("invariant: a place is less than the table is long")
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.words.len() { 0 } else { at + 1 }
    }
}

/// Tag and number.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "takes a word apart")]
const fn split(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}
