//! The nodes of a trie and the references by which encodings name them.

use alloc::boxed::Box;
use alloy_primitives::{B256, keccak256};

use super::arena::NodeId;

/// A node as it is held in memory.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A key with its value.
    Leaf(Leaf),
    /// Two or more subtrees that share the nibbles before the branch.
    Branch(Branch),
    /// A subtree of which only the hash is known; the hash is the slot's reference.
    Blinded,
    /// An extension whose branch is blinded.
    BlindedBranch(BlindedBranch),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) key: B256,
    pub(super) value: Value,
}

/// Two or more subtrees that share the nibbles before the branch.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    /// Any key that agrees with all keys below in the nibbles before `depth`.
    pub(super) key: B256,
    /// Position of the nibble that selects the child.
    pub(super) depth: u8,
    pub(super) children: [NodeId; 16],
}

/// An extension whose branch is blinded.
#[derive(Clone, Debug)]
pub(super) struct BlindedBranch {
    /// Any key that agrees with all keys below in the nibbles before `depth`.
    pub(super) key: B256,
    /// Position of the nibble that the blinded branch looks at.
    pub(super) depth: u8,
    /// Hash of the branch without the extension.
    pub(super) hash: B256,
}

impl Node {
    pub(super) fn leaf(key: B256, value: &[u8]) -> Self {
        Self::Leaf(Leaf { key, value: Value::new(value) })
    }
}

/// Length up to which a value lies in its node. Holds every slot and nearly every account.
const INLINE_MAX: usize = 86;

/// A leaf's value, not empty.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Inline { len: u8, bytes: [u8; INLINE_MAX] },
    Heap(Box<[u8]>),
}

impl Value {
    pub(super) fn new(value: &[u8]) -> Self {
        let mut bytes = [0; INLINE_MAX];
        match (u8::try_from(value.len()), bytes.get_mut(..value.len())) {
            (Ok(len), Some(inline)) => {
                inline.copy_from_slice(value);
                Self::Inline { len, bytes }
            }
            _ => Self::Heap(value.into()),
        }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Self::Heap(bytes) => bytes,
        }
    }
}

/// How a parent's encoding names a node: by hash, or by the node's encoding if that is shorter.
///
/// Also the cache for it, with an empty value that means "to be computed".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeRef {
    /// Bytes used: 0 dirty, up to 31 an encoding, 32 a hash.
    len: u8,
    bytes: B256,
}

impl NodeRef {
    /// The cache value of a node that has to be encoded again.
    pub(super) const DIRTY: Self = Self { len: 0, bytes: B256::ZERO };

    pub(super) fn hash(hash: B256) -> Self {
        Self { len: 32, bytes: hash }
    }

    /// The reference to a node with this encoding.
    pub(super) fn of(encoding: &[u8]) -> Self {
        match u8::try_from(encoding.len()) {
            Ok(len @ 1..=31) => {
                let mut bytes = B256::ZERO;
                bytes[..encoding.len()].copy_from_slice(encoding);
                Self { len, bytes }
            }
            _ => Self::hash(keccak256(encoding)),
        }
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.len == 0
    }

    /// The hash, unless the node is shorter than one.
    pub(super) fn as_hash(&self) -> Option<&B256> {
        (self.len == 32).then_some(&self.bytes)
    }

    /// The hash or the encoding.
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The hash of the node, computed if the node is shorter than one.
    pub(super) fn to_hash(self) -> B256 {
        self.as_hash().copied().unwrap_or_else(|| keccak256(self.as_slice()))
    }
}
