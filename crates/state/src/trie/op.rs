//! A change to one key of a trie.

use alloy_primitives::B256;

use crate::changes::{Change, Kind};

/// A change to one key. The leaf's content changes elsewhere (see [`Leaves`](super::Leaves)).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) key: B256,
    /// The leaf, and what happens to it: never [`Kind::Same`].
    pub(crate) change: Change,
    /// Which of several tries is meant.
    pub(crate) trie: u32,
}

impl Op {
    pub(crate) fn new(kind: Kind, key: B256, leaf: u32) -> Self {
        Self { key, change: Change::new(kind, leaf), trie: 0 }
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        self.change.kind()
    }

    #[inline]
    pub(crate) fn leaf(&self) -> u32 {
        self.change.number()
    }
}
