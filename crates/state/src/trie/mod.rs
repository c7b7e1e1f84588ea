//! Merkle-Patricia tries over 32-byte keys, with blinded nodes.
//!
//! Job: keep a map from keys (already hashed) to byte strings and compute its Ethereum root. Only
//! changed nodes are hashed again. Inputs: changes, and a [`NodeSource`] for subtrees of which only
//! the hash is known. Outputs: the root, proofs, values.
//!
//! # Shape
//!
//! In memory a trie is a radix tree. A branch knows the position of the nibble that selects its
//! child, so an extension node is not a node here but the gap between a branch and its parent. The
//! extension is created when a node is encoded. A branch below a gap, about one in twenty where
//! keys are hashes, stores one key that passes through it. A leaf is not a node in memory either:
//! its parent stores a number, by which [`Leaves`] knows the leaf's key and value.
//!
//! ```text
//! leaf            number
//! branch          which children, depth; for each child: its word, and its reference, which is
//!                 the hash or the whole encoding if shorter than one; a key, if below a gap
//! blinded         a subtree of which only the hash is known: the reference
//! blinded branch  an extension whose branch is blinded: key, depth, hash of the branch
//! ```
//!
//! All code here works on tries in arenas ([`Arena`]): [`Editor`] changes their shape, [`Pending`]
//! hashes nodes, [`Reader`] searches and proves. Two types combine these: [`Trie`], which may be
//! blinded and changes key by key, and the `Forest` of a full state, which changes block by block
//! and in parallel.
//!
//! # Invariants
//!
//! - Every branch has at least two children. It has a path if and only if an extension is above it.
//! - A record holds its children's references at their depth, except for children that are marked
//!   dirty. A node with a dirty descendant is dirty, so hashing never looks below a clean node.
//!   Blinded nodes are never dirty, but extensions above them may be.
//! - A failed change to a [`Trie`] changes nothing: all resolving happens before the change.
//! - Recursion is bounded by the 64 nibbles of a key.

mod arena;
mod change;
mod decode;
mod edit;
mod encode;
mod heap;
mod leaf_change;
mod leaves;
mod nibbles;
mod pending;
mod reader;
mod reference;
mod slab;
mod source;
#[cfg(test)]
mod tests;
mod word;

pub(crate) use arena::Arena;
pub(crate) use edit::Editor;
pub(crate) use leaf_change::LeafChange;
pub(crate) use leaves::{Bytestrings, Leaves};
pub(crate) use nibbles::{nibble, with_nibble};
pub(crate) use pending::{Pending, ReferenceTarget, hash_all};
pub(crate) use reader::Reader;
pub(crate) use reference::NodeRef;
pub use source::{NoNodes, NodeSource, TrieError};
pub(crate) use word::{NodeKind, Word};

use alloc::vec::Vec;
use alloy_primitives::{B256, Bytes};

use crate::{EMPTY_ROOT, Witness};

/// A Merkle-Patricia trie of byte strings. Subtrees may be blinded: known by their hash only.
///
/// # Example
///
/// A verifier that knows only a root reads a value from a proof's nodes:
///
/// ```
/// use alloy_primitives::{B256, Bytes, keccak256};
/// use turnpike_state::{NoNodes, NodeSource, Trie, TrieError};
///
/// struct ProofNodes(Vec<Bytes>);
///
/// impl NodeSource for ProofNodes {
///     fn node(&mut self, hash: &B256) -> Option<Bytes> {
///         self.0.iter().find(|node| keccak256(node) == *hash).cloned()
///     }
/// }
///
/// let (alice, bob) = (keccak256("alice"), keccak256("bob"));
/// let mut full = Trie::new();
/// full.insert(&alice, b"a value of more than thirty-two bytes", &mut NoNodes)?;
/// full.insert(&bob, b"another one", &mut NoNodes)?;
/// let root = full.root();
///
/// let mut nodes = ProofNodes(full.proof(&alice)?);
/// let mut blinded = Trie::blinded(root);
/// assert!(matches!(blinded.peek(&alice), Err(TrieError::MissingNode { .. })));
/// let value = blinded.get(&alice, &mut nodes)?;
/// assert_eq!(value, Some(b"a value of more than thirty-two bytes".as_slice()));
/// # Ok::<(), TrieError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trie {
    arena: Arena,
    leaves: Bytestrings,
    root: Word,
    /// Reference of the root, unless the root is nil or dirty.
    reference: NodeRef,
    dirty: bool,
}

impl Default for Trie {
    fn default() -> Self {
        Self {
            arena: Arena::default(),
            leaves: Bytestrings::default(),
            root: Word::NIL,
            reference: NodeRef::hash(EMPTY_ROOT),
            dirty: false,
        }
    }
}

impl Trie {
    /// Creates an empty trie.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a trie with this root and nothing resolved.
    #[must_use]
    pub fn blinded(root: B256) -> Self {
        let word = if root == EMPTY_ROOT { Word::NIL } else { Word::BLINDED };
        Self { root: word, reference: NodeRef::hash(root), ..Self::default() }
    }

    /// Whether the trie holds no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root.is_nil()
    }

    /// Number of nodes in memory, including blinded nodes but not extensions. Walks the trie to
    /// count them.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.read(|reader| reader.count())
    }

    /// The value of `key`, resolving blinded nodes on its path.
    pub fn get(
        &mut self,
        key: &B256,
        source: &mut impl NodeSource,
    ) -> Result<Option<&[u8]>, TrieError> {
        let leaf = self.resolve(key, source)?.leaf;
        Ok(leaf.map(|leaf| self.leaves.value(leaf)))
    }

    /// The value of `key`. Fails with [`TrieError::MissingNode`] if its path is blinded.
    pub fn peek(&self, key: &B256) -> Result<Option<&[u8]>, TrieError> {
        let leaf = self.read(|reader| reader.find(key))?;
        Ok(leaf.map(|leaf| self.leaves.value(leaf)))
    }

    /// The root hash. Hashes all dirty nodes and stores the result.
    pub fn root(&mut self) -> B256 {
        if self.dirty {
            self.hash();
        }
        self.current_root()
    }

    /// The root hash. Hashes dirty nodes without storing the result.
    #[must_use]
    pub fn current_root(&self) -> B256 {
        match (self.root.is_nil(), self.dirty) {
            (true, _) => EMPTY_ROOT,
            (false, true) => self.read(|reader| reader.reference_at(0)).to_hash(),
            (false, false) => self.reference.to_hash(),
        }
    }

    /// The nodes on the path of `key`, root first. They prove its value or its absence.
    ///
    /// The format is that of `eth_getProof`: a node shorter than 32 bytes is part of its parent and
    /// not listed, unless it is the root; an empty trie has no nodes. Fails with
    /// [`TrieError::MissingNode`] if the path is blinded.
    pub fn proof(&self, key: &B256) -> Result<Vec<Bytes>, TrieError> {
        self.read(|reader| reader.proof(key))
    }

    /// Adds the nodes on the path of `key` and every child of a branch on it.
    pub(crate) fn collect_witness(
        &self,
        key: &B256,
        witness: &mut Witness,
    ) -> Result<(), TrieError> {
        self.read(|reader| reader.collect_witness(key, witness))
    }

    fn read<T>(&self, read: impl FnOnce(&Reader<'_, Bytestrings>) -> T) -> T {
        read(&Reader {
            root: self.root,
            reference: self.reference,
            top: &self.arena,
            below: &|_| &self.arena,
            leaves: &self.leaves,
        })
    }
}
