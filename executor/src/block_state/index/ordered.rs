//! Positions by key, in an ordered map. The proof program uses it.

use alloc::collections::BTreeMap;

/// Positions by key. A lookup takes logarithmic time for any keys.
#[derive(Debug)]
pub(in crate::block_state) struct KeyIndex<K> {
    places: BTreeMap<K, usize>,
}

impl<K> Default for KeyIndex<K> {
    fn default() -> Self {
        Self { places: BTreeMap::new() }
    }
}

impl<K: Ord> KeyIndex<K> {
    /// The position of a key.
    pub(in crate::block_state) fn find(&self, key: &K, _: impl Fn(usize) -> bool) -> Option<usize> {
        self.places.get(key).copied()
    }

    /// Stores the position of a key that the index does not have.
    pub(in crate::block_state) fn insert(&mut self, key: K, place: usize) {
        self.places.insert(key, place);
    }

    pub(in crate::block_state) fn clear(&mut self) {
        self.places.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_until_cleared() {
        let mut index = KeyIndex::default();
        index.insert("a", 1);
        index.insert("b", 2);
        assert_eq!(["a", "b", "c"].map(|key| index.find(&key, |_| true)), [Some(1), Some(2), None]);
        index.clear();
        assert_eq!(index.find(&"a", |_| true), None);
    }
}
