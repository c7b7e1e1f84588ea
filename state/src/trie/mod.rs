//! A Merkle-Patricia trie over 32-byte keys, in an arena, with blinded nodes.
//!
//! Job: keep a map from keys (hashes already) to byte strings and its Ethereum root. Only what
//! changed since the last [`Trie::root`] is hashed again. Inputs: changes, and a [`NodeSource`]
//! for the parts of which only the hash is known. Outputs: values, the root, proofs.
//!
//! # Shape
//!
//! Nodes live in a vector and name each other by index. In memory the trie is a radix tree: a
//! branch knows the nibble it branches at and one key that passes through it, so an extension
//! node is not a node here but the gap between a branch and its parent. It appears when a node
//! is encoded, is split by comparing keys, and merges by itself when a branch collapses. A leaf
//! likewise stores its whole key, so moving it up or down rewrites nothing.
//!
//! ```text
//! Leaf    { key, value }
//! Branch  { key, depth, children }        shared nibbles before `depth` = extension, if any
//! Blinded                                 a subtree of which only the hash is known
//! BlindedBranch { key, depth, branch }    an extension whose branch is blinded
//! ```
//!
//! Every slot caches its node's reference as the parent's encoding contains it: the hash, or the
//! whole encoding if shorter than a hash. An empty cache means dirty.
//!
//! # Invariants
//!
//! - A node with a dirty descendant is dirty, so hashing never looks below a clean node.
//! - Every branch has at least two children. Blinded nodes are never dirty.
//! - A node's reference is valid at the depth where it hangs; re-hanging a node makes it dirty.
//! - `insert` and `remove` change nothing if they fail: all resolving happens before the change.
//! - Recursion is bounded by the 64 nibbles of a key.

mod arena;
mod decode;
mod encode;
mod hash;
mod insert;
mod nibbles;
mod node;
mod proof;
mod remove;
mod source;
#[cfg(test)]
mod tests;

pub use source::{NoNodes, NodeSource, TrieError};

use alloy_primitives::B256;

use crate::EMPTY_ROOT;
use arena::{Arena, NodeId};
use nibbles::{common_nibbles, nibble};
use node::{Node, NodeRef};

/// A Merkle-Patricia trie. See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Trie {
    arena: Arena,
    root: NodeId,
}

impl Trie {
    /// The empty trie.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The trie with this root, nothing of it resolved.
    #[must_use]
    pub fn blinded(root: B256) -> Self {
        let mut trie = Self::default();
        if root != EMPTY_ROOT {
            trie.root = trie.arena.insert(Node::Blinded, NodeRef::hash(root));
        }
        trie
    }

    /// Whether the trie holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root.is_nil()
    }

    /// Number of nodes held in memory, blinded ones included, extensions not.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.arena.len()
    }

    /// The value of `key`, resolving blinded nodes on its path.
    pub fn get(
        &mut self,
        key: &B256,
        source: &mut impl NodeSource,
    ) -> Result<Option<&[u8]>, TrieError> {
        let (mut id, mut start) = (self.root, 0);
        while !id.is_nil() {
            self.open(id, start, key, source)?;
            match self.step(id, key)? {
                Step::Down(child, depth) => (id, start) = (child, depth),
                Step::End => break,
            }
        }
        Ok(self.value_at(id, key))
    }

    /// The value of `key`; [`TrieError::MissingNode`] if its path is blinded.
    pub fn peek(&self, key: &B256) -> Result<Option<&[u8]>, TrieError> {
        let mut id = self.root;
        while !id.is_nil() {
            match self.step(id, key)? {
                Step::Down(child, _) => id = child,
                Step::End => break,
            }
        }
        Ok(self.value_at(id, key))
    }

    /// One step from a node towards `key`.
    fn step(&self, id: NodeId, key: &B256) -> Result<Step, TrieError> {
        match self.arena.node(id) {
            Node::Branch(branch) if common_nibbles(&branch.key, key) >= branch.depth => {
                let child = branch.children[nibble(key, branch.depth)];
                Ok(Step::Down(child, branch.depth + 1))
            }
            Node::Blinded => Err(TrieError::MissingNode { hash: self.arena.blinded_hash(id) }),
            Node::BlindedBranch(blinded) if common_nibbles(&blinded.key, key) >= blinded.depth => {
                Err(TrieError::MissingNode { hash: blinded.hash })
            }
            _ => Ok(Step::End),
        }
    }

    fn value_at(&self, id: NodeId, key: &B256) -> Option<&[u8]> {
        match self.arena.get(id)? {
            Node::Leaf(leaf) if leaf.key == *key => Some(leaf.value.as_slice()),
            _ => None,
        }
    }
}

/// Where a search goes from a node.
enum Step {
    /// To this child (or none), which hangs at this depth.
    Down(NodeId, u8),
    /// The key's path ends here, with the key or without.
    End,
}
