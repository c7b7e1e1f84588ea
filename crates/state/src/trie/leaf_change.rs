//! A change to one key of a trie.

use alloy_primitives::B256;

use crate::changes::{Change, EntryChange};

/// A change to one key. [`Leaves`](super::Leaves) holds the leaf's content, which changes
/// separately.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeafChange {
    pub(crate) key: B256,
    /// The leaf and its change, which is never [`EntryChange::Same`].
    pub(crate) change: Change,
    /// Index of the trie.
    pub(crate) trie: u32,
}

impl LeafChange {
    pub(crate) fn new(kind: EntryChange, key: B256, leaf: u32) -> Self {
        Self { key, change: Change::new(kind, leaf), trie: 0 }
    }

    #[inline]
    pub(crate) fn kind(&self) -> EntryChange {
        self.change.kind()
    }

    #[inline]
    pub(crate) fn leaf(&self) -> u32 {
        self.change.number()
    }
}
