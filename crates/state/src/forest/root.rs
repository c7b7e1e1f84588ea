//! The root of one trie of the forest.

use alloy_primitives::B256;

use crate::{
    EMPTY_ROOT,
    trie::{Arena, NodeKind, NodeRef, Word},
};

/// Where a trie begins, and its hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Root {
    pub(super) word: Word,
    /// The first nibble of all keys, if the root is not a branch in the crown.
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

    /// The branch in the crown, if there is one.
    ///
    /// A branch below a gap lies in the arena of its nibble; only branches at depth 0 lie in the
    /// crown, and the word alone does not say which arena it means: a root branch with this mark
    /// instead of a nibble does.
    pub(super) fn crown(&self) -> Option<u32> {
        match self.word.node() {
            NodeKind::Branch(branch) if self.nibble == CROWN => Some(branch),
            _ => None,
        }
    }

    pub(super) fn in_crown(branch: u32, reference: NodeRef) -> Self {
        Self { word: Word::branch(branch), nibble: CROWN, reference }
    }

    /// What hangs below the root, or is the root, on the side of a nibble.
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

/// In the place of a nibble: the root is a branch in the crown.
const CROWN: u8 = 16;
