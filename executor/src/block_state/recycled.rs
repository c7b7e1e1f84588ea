use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

/// A list whose items stay where they are when it is emptied, to be written over. So a new item is neither moved into
/// place nor dropped, which for large ones costs more than what is done with them.
#[derive(Debug)]
pub(super) struct RecycledVec<T> {
    items: Vec<T>,
    len: usize,
}

/// A list this many times too long for its last block is made anew for the next.
const SLACK_MAX: usize = 32;

/// Items that are kept in any case.
const ITEMS_MIN: usize = 64;

impl<T> Default for RecycledVec<T> {
    fn default() -> Self {
        Self { items: Vec::new(), len: 0 }
    }
}

impl<T> RecycledVec<T> {
    /// Items in use.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Empties the list. What many times more than the last block needed is given back.
    pub(super) fn clear(&mut self) {
        if self.items.len() > SLACK_MAX * self.len.max(ITEMS_MIN) {
            self.items = Vec::new();
        }
        self.len = 0;
    }

    /// Adds an item, which is what some earlier item was: all of it has to be written. `make` makes one from nothing.
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
