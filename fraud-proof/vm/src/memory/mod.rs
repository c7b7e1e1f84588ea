//! The machine's memory: 2^32 bytes in pages of 4 KiB that machines and snapshots share until one
//! of them writes.
//!
//! # State
//!
//! The pages that loads and stores see, and the tree of the last commit, which snapshots hold.
//! Pages on the dirty list may differ from the tree.

mod page;
mod tree;

use std::{fmt, sync::Arc};

use alloy_primitives::B256;
pub(crate) use page::{LEAF_BYTES, PAGE_BYTES};
use page::{PAGE_HEIGHT, Page};
pub(crate) use tree::{MEMORY_HEIGHT, Subtree};

use crate::bits::{leaf_of, page_of};

/// Bytes of memory: addresses from here on fault.
pub const MEMORY_BYTES: u64 = 1 << 32;

/// Number of pages.
pub(crate) const PAGES: usize = 1 << (MEMORY_HEIGHT - PAGE_HEIGHT);

/// The page is on the dirty list and not shared: it can be written in place.
const WRITABLE: u8 = 1;
/// The page is decoded: a store has to refresh the decoded instructions.
const WATCHED: u8 = 2;

/// The memory of one machine.
pub(crate) struct Memory {
    /// The pages that loads and stores see. Absent pages are zeros.
    pages: Box<[Option<Arc<Page>>; PAGES]>,
    flags: Box<[u8; PAGES]>,
    /// The [`WRITABLE`] pages, which may differ from `tree`.
    dirty: Vec<usize>,
    /// The pages of the last commit.
    tree: Subtree,
    usage: Usage,
    hashes: u64,
}

/// The pages that stores or the program's segments have written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Number of pages.
    pub pages: usize,
    /// End address of the highest page.
    pub end: u64,
}

impl Usage {
    /// Bytes of the pages.
    pub const fn bytes(&self) -> u64 {
        (self.pages * PAGE_BYTES) as u64
    }
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            pages: boxed(std::iter::repeat_with(|| None).take(PAGES).collect()),
            flags: boxed(vec![0; PAGES]),
            dirty: Vec::new(),
            tree: None,
            usage: Usage::default(),
            hashes: 0,
        }
    }

    pub(crate) const fn usage(&self) -> Usage {
        self.usage
    }

    /// Number of hashes that roots have cost so far.
    pub(crate) const fn hashes(&self) -> u64 {
        self.hashes
    }

    /// Whether the page of a usable address was ever written.
    #[inline(always)]
    pub(crate) fn has_page(&self, address: u64) -> bool {
        self.pages[page_of(address)].is_some()
    }

    /// The `bytes` (1, 2, 4 or 8) at a usable address, zero-extended.
    #[inline(always)]
    pub(crate) fn load(&self, address: u64, bytes: u64) -> u64 {
        let Some(page) = &self.pages[page_of(address)] else { return 0 };
        let (shift, mask) = shift_and_mask(address, bytes);
        (page.word(address) >> shift) & mask
    }

    /// Writes the low `bytes` (1, 2, 4 or 8) of `value` at a usable address if its page is writable
    /// in place. Returns whether it did.
    #[inline(always)]
    #[must_use]
    pub(crate) fn try_store(&self, address: u64, bytes: u64, value: u64) -> bool {
        let index = page_of(address);
        let Some(page) = &self.pages[index] else { return false };
        if self.flags[index] != WRITABLE {
            return false;
        }
        let (shift, mask) = shift_and_mask(address, bytes);
        let kept = if bytes == 8 { 0 } else { page.word(address) & !(mask << shift) };
        page.set_word(address, kept | (value & mask) << shift);
        true
    }

    /// Writes the low `bytes` of `value` at a usable address. Returns whether its page is watched.
    pub(crate) fn store(&mut self, address: u64, bytes: u64, value: u64) -> bool {
        let index = page_of(address);
        self.make_writable(index);
        let watched = self.flags[index] & WATCHED;
        self.flags[index] = WRITABLE;
        let stored = self.try_store(address, bytes, value);
        debug_assert!(stored, "the page is writable");
        self.flags[index] |= watched;
        watched != 0
    }

    /// Copies bytes to an address before the first step. The caller has checked that they fit.
    pub(crate) fn write(&mut self, address: u64, bytes: &[u8]) {
        for (byte, at) in bytes.iter().zip(address..) {
            self.store(at, 1, u64::from(*byte));
        }
    }

    /// Writes zeros to every byte that may be nonzero.
    pub(crate) fn clear(&mut self, address: u64, length: u64) {
        let end = address + length;
        let mut at = address;
        while at < end {
            let page_end = (at / PAGE_BYTES as u64 + 1) * PAGE_BYTES as u64;
            if self.has_page(at) {
                (at..page_end.min(end)).for_each(|at| {
                    self.store(at, 1, 0);
                });
            }
            at = page_end;
        }
    }

    fn make_writable(&mut self, index: usize) {
        if self.flags[index] & WRITABLE != 0 {
            return;
        }
        match &mut self.pages[index] {
            None => {
                self.usage.pages += 1;
                self.usage.end = self.usage.end.max(((index + 1) * PAGE_BYTES) as u64);
                self.pages[index] = Some(Arc::new(Page::zero()));
            }
            // The tree shares the page.
            Some(page) => *page = Arc::new(page.to_dirty()),
        }
        self.flags[index] |= WRITABLE;
        self.dirty.push(index);
    }

    /// Makes [`store`](Self::store) report writes to the page of this address, and
    /// [`try_store`](Self::try_store) refuse them.
    pub(crate) fn watch(&mut self, address: u64) {
        self.flags[page_of(address)] |= WATCHED;
    }

    pub(crate) fn unwatch(&mut self, page: usize) {
        self.flags[page] &= !WATCHED;
    }

    /// Commits the current memory, for [`restore`](Self::restore).
    pub(crate) fn commit(&mut self) -> Subtree {
        self.dirty.sort_unstable();
        let pages: Vec<_> = self
            .dirty
            .drain(..)
            .map(|index| {
                self.flags[index] &= !WRITABLE;
                let page = self.pages[index].as_ref().expect("invariant: dirty pages are present");
                (index, Arc::clone(page))
            })
            .collect();
        self.tree = tree::with_pages(&self.tree, MEMORY_HEIGHT, &pages);
        self.tree.clone()
    }

    /// Restores a [`commit`](Self::commit) of this memory or of another. Calls `changed` with the
    /// index of every page that may differ.
    pub(crate) fn restore(&mut self, tree: &Subtree, usage: Usage, mut changed: impl FnMut(usize)) {
        self.commit();
        let pages = &mut self.pages;
        tree::for_each_difference(&self.tree, tree, MEMORY_HEIGHT, 0, &mut |index, page| {
            pages[index] = page.cloned();
            changed(index);
        });
        self.tree.clone_from(tree);
        self.usage = usage;
    }

    /// Root of the memory's Merkle tree.
    pub(crate) fn root(&mut self) -> B256 {
        let (root, hashes) = tree::hash(&self.commit());
        self.hashes += hashes;
        root
    }

    /// The 32-byte leaf of a usable address, and its siblings from the bottom up.
    pub(crate) fn prove(&mut self, address: u64) -> ([u8; LEAF_BYTES], [B256; MEMORY_HEIGHT]) {
        self.root();
        let start = address & !(LEAF_BYTES as u64 - 1);
        let mut leaf = [0; LEAF_BYTES];
        for (bytes, at) in leaf.as_chunks_mut().0.iter_mut().zip((start..).step_by(8)) {
            *bytes = self.load(at, 8).to_le_bytes();
        }
        let index = (page_of(address) << PAGE_HEIGHT) | leaf_of(address);
        (leaf, tree::siblings(&self.tree, index))
    }
}

/// A table with an entry per page. An index from [`page_of`] needs no bounds check.
pub(crate) fn boxed<T: std::fmt::Debug>(entries: Vec<T>) -> Box<[T; PAGES]> {
    entries.into_boxed_slice().try_into().expect("invariant: one for each page")
}

/// The shift and mask of the `bytes` at an address within their 8-byte word.
#[inline(always)]
const fn shift_and_mask(address: u64, bytes: u64) -> (u64, u64) {
    ((address & 7) * 8, u64::MAX >> (64 - 8 * bytes))
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("usage", &self.usage).finish_non_exhaustive()
    }
}
