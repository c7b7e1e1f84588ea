//! The root of one trie of the forest.

use alloy_primitives::B256;

use crate::{
    EMPTY_ROOT,
    trie::{Arena, NodeKind, NodeRef, Word},
};

/// The location of a trie's root, and its reference.
#[derive(Clone, Copy, Debug)]
pub(super) struct Root {
    pub(super) word: Word,
    /// The first nibble of all keys, or [`CROWN`] if the root is a branch in the crown.
    pub(super) nibble: u8,
    pub(super) reference: NodeRef,
}

impl Default for Root {
    fn default() -> Self {
        Self { word: Word::NIL, nibble: 0, reference: NodeRef::hash(EMPTY_ROOT) }
    }
}

impl Root {
    pub(super) fn is_nil(&self) -> bool {
        self.word.is_nil()
    }

    /// The root's branch in the crown, if the root is there.
    ///
    /// The crown holds root branches at depth 0. A root branch below a gap lies in the arena of its
    /// nibble. The word does not name its arena, so [`CROWN`] in place of the nibble marks a root
    /// in the crown.
    pub(super) fn crown(&self) -> Option<u32> {
        match self.word.node() {
            NodeKind::Branch(branch) if self.nibble == CROWN => Some(branch),
            _ => None,
        }
    }

    pub(super) fn in_crown(branch: u32, reference: NodeRef) -> Self {
        Self { word: Word::branch(branch), nibble: CROWN, reference }
    }

    /// The subtree whose first nibble is `nibble`. It is the root itself if the trie has no other.
    pub(super) fn side(&self, crown: &Arena, nibble: u8) -> Word {
        match self.crown() {
            Some(branch) => crown.child(branch, nibble.into()),
            None if self.nibble == nibble => self.word,
            None => Word::NIL,
        }
    }

    /// The root hash.
    pub(super) fn hash(&self) -> B256 {
        if self.is_nil() { EMPTY_ROOT } else { self.reference.to_hash() }
    }
}

/// Takes the place of a nibble: the root is a branch in the crown.
const CROWN: u8 = 16;
