//! References by which encodings name nodes.

use alloy_primitives::{B256, keccak256};

/// How a parent's encoding names a node: by hash, or by the node's encoding if that is shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeRef {
    /// Number of bytes used: up to 31 for an encoding, 32 for a hash.
    len: u8,
    bytes: B256,
}

impl NodeRef {
    /// The shortest encoding that is referenced by its hash.
    pub(crate) const HASHED_MIN: usize = 32;

    pub(crate) fn hash(hash: B256) -> Self {
        Self { len: 32, bytes: hash }
    }

    /// The reference to a node with this encoding.
    pub(crate) fn of(encoding: &[u8]) -> Self {
        Self::inline(encoding).unwrap_or_else(|| Self::hash(keccak256(encoding)))
    }

    /// The reference to a node whose encoding is shorter than a hash.
    #[inline]
    pub(crate) fn inline(encoding: &[u8]) -> Option<Self> {
        if encoding.len() >= Self::HASHED_MIN {
            return None;
        }
        let len = u8::try_from(encoding.len()).ok()?;
        let mut bytes = B256::ZERO;
        bytes[..encoding.len()].copy_from_slice(encoding);
        Some(Self { len, bytes })
    }

    /// A reference from its 32 bytes in a record and whether they are an encoding. An encoding
    /// contains its length.
    pub(super) fn from_record(bytes: &[u8; 32], is_inline: bool) -> Self {
        let len = if is_inline { bytes[0].saturating_sub(0xc0) + 1 } else { 32 };
        Self { len, bytes: bytes.into() }
    }

    /// All 32 bytes. An encoding uses the first of them.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes.0
    }

    pub(crate) fn is_inline(&self) -> bool {
        self.len < 32
    }

    /// The hash, unless the reference is an encoding.
    pub(crate) fn as_hash(&self) -> Option<&B256> {
        (self.len == 32).then_some(&self.bytes)
    }

    /// The hash or the encoding.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The hash of the node. Computes it if the reference is an encoding.
    pub(crate) fn to_hash(self) -> B256 {
        self.as_hash().copied().unwrap_or_else(|| keccak256(self.as_slice()))
    }
}
