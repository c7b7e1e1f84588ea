//! Witnesses: the preimages, by keccak hash, that a stateless execution reads.

use alloc::collections::BTreeMap;
use alloy_primitives::{Address, B256, Bytes, keccak256};

use crate::{NodeSource, PrecompileOutcome};

/// Supplies trie nodes and codes by their keccak hash.
///
/// Sources are not trusted: the caller checks the hash of every preimage, unless
/// [`IS_CHECKED`](Self::IS_CHECKED).
pub trait PreimageSource {
    /// Whether the source itself makes sure that preimages have their hash. L1 does so for the
    /// proof program's reads.
    const IS_CHECKED: bool = false;

    /// Returns the bytes whose keccak hash is `hash`, if the source has them.
    fn preimage(&mut self, hash: &B256) -> Option<Bytes>;

    /// The length of [`preimage`](Self::preimage), for a checked source.
    fn preimage_len(&mut self, hash: &B256) -> Option<usize> {
        self.preimage(hash).map(|bytes| bytes.len())
    }

    /// The result of a precompile for `input`, under the same rules as
    /// [`StateView::precompile`](crate::StateView::precompile). The caller cannot check this
    /// result.
    fn precompile(&mut self, _address: &Address, _input: &[u8]) -> Option<PrecompileOutcome> {
        None
    }
}

impl<S: PreimageSource + ?Sized> PreimageSource for &mut S {
    const IS_CHECKED: bool = S::IS_CHECKED;

    fn preimage(&mut self, hash: &B256) -> Option<Bytes> {
        (**self).preimage(hash)
    }

    fn preimage_len(&mut self, hash: &B256) -> Option<usize> {
        (**self).preimage_len(hash)
    }

    fn precompile(&mut self, address: &Address, input: &[u8]) -> Option<PrecompileOutcome> {
        (**self).precompile(address, input)
    }
}

/// A set of preimages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    preimages: BTreeMap<B256, Bytes>,
}

impl Witness {
    /// Computes the hash of `bytes` and adds them.
    pub fn add(&mut self, bytes: Bytes) {
        self.preimages.insert(keccak256(&bytes), bytes);
    }

    /// Adds bytes under a hash that the caller has computed.
    pub fn insert(&mut self, hash: B256, bytes: Bytes) {
        self.preimages.insert(hash, bytes);
    }

    /// The preimages by hash.
    #[must_use]
    pub fn preimages(&self) -> &BTreeMap<B256, Bytes> {
        &self.preimages
    }

    /// Returns the preimages by hash.
    #[must_use]
    pub fn into_preimages(self) -> BTreeMap<B256, Bytes> {
        self.preimages
    }
}

impl PreimageSource for Witness {
    fn preimage(&mut self, hash: &B256) -> Option<Bytes> {
        self.preimages.get(hash).cloned()
    }
}

/// Forwards requests to another source and records every answer. After a block is executed on it,
/// [`used`](Self::used) is the smallest witness of that block.
#[derive(Clone, Debug, Default)]
pub struct RecordingSource<S> {
    inner: S,
    used: Witness,
}

impl<S> RecordingSource<S> {
    /// Records the requests to `inner`.
    pub fn new(inner: S) -> Self {
        Self { inner, used: Witness::default() }
    }

    /// Preimages that were requested and found so far.
    pub fn used(&self) -> &Witness {
        &self.used
    }

    /// Returns the preimages that were requested and found.
    pub fn into_used(self) -> Witness {
        self.used
    }
}

impl<S: PreimageSource> PreimageSource for RecordingSource<S> {
    fn preimage(&mut self, hash: &B256) -> Option<Bytes> {
        let bytes = self.inner.preimage(hash)?;
        self.used.insert(*hash, bytes.clone());
        Some(bytes)
    }

    fn precompile(&mut self, address: &Address, input: &[u8]) -> Option<PrecompileOutcome> {
        self.inner.precompile(address, input)
    }
}

/// Adapts a preimage source to a trie's node source.
pub(crate) struct Nodes<'a, S>(pub(crate) &'a mut S);

impl<S: PreimageSource> NodeSource for Nodes<'_, S> {
    const IS_CHECKED: bool = S::IS_CHECKED;

    fn node(&mut self, hash: &B256) -> Option<Bytes> {
        self.0.preimage(hash)
    }
}
