//! The source of blinded nodes, and the errors of resolving them.

use alloy_primitives::{B256, Bytes};

/// Supplies the encoding of trie nodes by their hash.
///
/// Sources are not trusted: the trie checks the hash of the bytes that they return, unless
/// [`IS_CHECKED`](Self::IS_CHECKED).
pub trait NodeSource {
    /// Whether the source itself makes sure that the bytes have the hash.
    const IS_CHECKED: bool = false;

    /// The RLP of the node with this keccak hash, if the source has it.
    fn node(&mut self, hash: &B256) -> Option<Bytes>;
}

impl<S: NodeSource + ?Sized> NodeSource for &mut S {
    const IS_CHECKED: bool = S::IS_CHECKED;

    fn node(&mut self, hash: &B256) -> Option<Bytes> {
        (**self).node(hash)
    }
}

/// The source for full tries, which never request a node.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNodes;

impl NodeSource for NoNodes {
    fn node(&mut self, _hash: &B256) -> Option<Bytes> {
        None
    }
}

/// Why a read or change of a trie failed. A full trie never fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrieError {
    /// The source does not have a node that the operation needs.
    #[error("trie node {hash} is not available")]
    MissingNode {
        /// The node's keccak hash.
        hash: B256,
    },
    /// The source returned bytes that do not hash to the node's hash.
    #[error("preimage of trie node {hash} does not hash to it")]
    HashMismatch {
        /// The node's keccak hash.
        hash: B256,
    },
    /// The bytes have the right hash but are not a trie node that is valid at its position.
    #[error("trie node {hash} is malformed")]
    InvalidNode {
        /// The node's keccak hash.
        hash: B256,
    },
    /// The value at a key is neither an account nor a slot's number.
    #[error("value of trie key {key} is malformed")]
    InvalidValue {
        /// The hashed key.
        key: B256,
    },
}
