//! A vector that keeps its items for reuse.

use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

/// A vector that keeps its items when it is cleared and overwrites them later. This avoids moving
/// new items into place and dropping old ones. For large items, that would cost more than using
/// them.
#[derive(Debug)]
pub(super) struct RecycledVec<T> {
    items: Vec<T>,
    len: usize,
}

/// A vector that is this many times longer than its last block needed is freed.
const SLACK_MAX: usize = 32;

/// Items that are always kept.
const ITEMS_MIN: usize = 64;

impl<T> Default for RecycledVec<T> {
    fn default() -> Self {
        Self { items: Vec::new(), len: 0 }
    }
}

impl<T> RecycledVec<T> {
    /// Number of items in use.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Clears the vector. Frees it if it is much longer than the last block needed.
    pub(super) fn clear(&mut self) {
        if self.items.len() > SLACK_MAX * self.len.max(ITEMS_MIN) {
            self.items = Vec::new();
        }
        self.len = 0;
    }

    /// Adds an item. It may hold the values of an earlier item, so write every field. `make`
    /// creates an item if there is none to reuse.
    #[inline]
    pub(super) fn add(&mut self, make: impl FnOnce() -> T) -> &mut T {
        if self.len == self.items.len() {
            self.items.push(make());
        }
        self.len += 1;
        &mut self.items[self.len - 1]
    }

    /// The items in use, in order.
    pub(super) fn as_slice(&self) -> &[T] {
        &self.items[..self.len]
    }
}

impl<T> Index<usize> for RecycledVec<T> {
    type Output = T;

    #[inline]
    fn index(&self, at: usize) -> &T {
        &self.items[at]
    }
}

impl<T> IndexMut<usize> for RecycledVec<T> {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.items[at]
    }
}
