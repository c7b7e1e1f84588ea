//! A page of memory and the hashes of its subtree.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use alloy_primitives::B256;
use turnpike_keccak::keccak256_many;

use crate::bits::word_of;

/// Bytes of a leaf.
pub(crate) const LEAF_BYTES: usize = 32;
/// Levels from a leaf to its page's root.
pub(crate) const PAGE_HEIGHT: usize = 7;

/// Bytes of a page, the unit of sharing and of the dirty list.
pub(crate) const PAGE_BYTES: usize = 4096;

const WORDS: usize = PAGE_BYTES / 8;

/// 4 KiB of memory.
///
/// The words are atomic so that a machine can write to a page behind an [`Arc`] without `unsafe`.
/// No two threads use this: [`Memory`](super::Memory) writes only to pages that nothing else holds.
#[derive(Debug)]
pub(crate) struct Page {
    /// Little-endian, in the order of addresses.
    words: [AtomicU64; WORDS],
    /// Root of the page's subtree, once computed.
    root: OnceLock<B256>,
}

impl Page {
    pub(crate) fn zero() -> Self {
        Self { words: [const { AtomicU64::new(0) }; WORDS], root: OnceLock::new() }
    }

    /// A writable copy without a root.
    pub(crate) fn to_dirty(&self) -> Self {
        let words = std::array::from_fn(|index| AtomicU64::new(self.words[index].load(Relaxed)));
        Self { words, root: OnceLock::new() }
    }

    pub(crate) fn root(&self) -> Option<B256> {
        self.root.get().copied()
    }

    /// The 8-byte word of an address.
    #[inline(always)]
    pub(crate) fn word(&self, address: u64) -> u64 {
        self.words[word_of(address)].load(Relaxed)
    }

    /// Replaces the 8-byte word of an address.
    #[inline(always)]
    pub(crate) fn set_word(&self, address: u64, word: u64) {
        self.words[word_of(address)].store(word, Relaxed);
    }

    pub(crate) fn bytes(&self) -> [u8; PAGE_BYTES] {
        let mut bytes = [0; PAGE_BYTES];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(&self.words) {
            *bytes = word.load(Relaxed).to_le_bytes();
        }
        bytes
    }

    /// The siblings of a leaf, from its own level up to the page's root.
    pub(crate) fn siblings(&self, leaf: usize) -> [B256; PAGE_HEIGHT] {
        let mut level = self.bytes().to_vec();
        let mut index = leaf;
        std::array::from_fn(|_| {
            let sibling = (index ^ 1) * LEAF_BYTES;
            let sibling = B256::from_slice(&level[sibling..sibling + LEAF_BYTES]);
            level = parents(&level);
            index >>= 1;
            sibling
        })
    }
}

/// Number of pages hashed together: enough for every SIMD lane, few enough for the cache.
const BATCH_PAGES: usize = 16;

/// Computes the roots of pages that have none. Returns the number of hashes.
pub(crate) fn hash_pages(pages: &[Arc<Page>]) -> u64 {
    let mut hashes = 0;
    for batch in pages.chunks(BATCH_PAGES) {
        let mut level: Vec<u8> = batch.iter().flat_map(|page| page.bytes()).collect();
        for _ in 0..PAGE_HEIGHT {
            level = parents(&level);
            hashes += (level.len() / LEAF_BYTES) as u64;
        }
        for (page, root) in batch.iter().zip(level.as_chunks().0) {
            // Set already only if another machine that shares the page has computed it.
            let _ = page.root.set(B256::new(*root));
        }
    }
    hashes
}

/// The next level of the tree: one hash per two nodes.
fn parents(level: &[u8]) -> Vec<u8> {
    let pairs: Vec<&[u8]> = level.chunks_exact(2 * LEAF_BYTES).collect();
    let mut hashes = vec![[0; LEAF_BYTES]; pairs.len()];
    keccak256_many(&pairs, &mut hashes);
    hashes.into_flattened()
}
