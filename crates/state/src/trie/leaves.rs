//! Contents of leaves: the seam between a trie and the store of its keys and values.

use alloc::vec::Vec;
use alloy_primitives::B256;

use super::slab::Slab;

/// The contents of a trie's leaves, by number.
pub(crate) trait Leaves: Sync {
    /// A leaf's value before it is encoded.
    type Value<'a>
    where
        Self: 'a;

    /// The key of a leaf. It may be slow, because only moved leaves and proofs need it.
    fn key(&self, leaf: u32) -> B256;

    /// Reads a leaf's value.
    fn load(&self, leaf: u32) -> Self::Value<'_>;

    /// Appends the value in the trie's encoding.
    fn encode<'a>(&'a self, value: &Self::Value<'a>, out: &mut Vec<u8>);
}

/// Leaves that hold keys and byte strings in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bytestrings {
    slab: Slab<(B256, Vec<u8>)>,
}

impl Bytestrings {
    pub(crate) fn insert(&mut self, key: B256, value: &[u8]) -> u32 {
        self.slab.insert((key, value.to_vec()))
    }

    /// Sets a value and returns whether it changed.
    pub(crate) fn set(&mut self, leaf: u32, value: &[u8]) -> bool {
        let held = &mut self.slab.get_mut(leaf).1;
        let differs = held != value;
        if differs {
            held.clear();
            held.extend_from_slice(value);
        }
        differs
    }

    pub(crate) fn value(&self, leaf: u32) -> &[u8] {
        &self.slab.get(leaf).1
    }

    pub(crate) fn remove(&mut self, leaf: u32) {
        self.slab.remove(leaf);
    }

    /// The largest number of leaves held at one time.
    #[cfg(test)]
    pub(crate) fn capacity_used(&self) -> usize {
        self.slab.capacity_used()
    }
}

impl Leaves for Bytestrings {
    type Value<'a> = &'a [u8];

    fn key(&self, leaf: u32) -> B256 {
        self.slab.get(leaf).0
    }

    fn load(&self, leaf: u32) -> &[u8] {
        self.value(leaf)
    }

    fn encode<'a>(&'a self, value: &&'a [u8], out: &mut Vec<u8>) {
        out.extend_from_slice(value);
    }
}
