//! Lock-free union-find.

use super::sync::{AtomicU32, Ordering};

/// Disjoint sets of numbers that several threads join without a lock.
///
/// Each set is a tree. A parent is never larger than its child, so the root is the smallest number
/// of the set, whatever the order of joins. Only roots that are not joined yet get a new parent, by
/// compare-and-swap, so no join is lost.
#[derive(Debug, Default)]
pub(crate) struct DisjointSets {
    parents: Vec<AtomicU32>,
}

impl DisjointSets {
    /// The numbers below `len`, each in its own set.
    pub(crate) fn new(len: u32) -> Self {
        Self { parents: (0..len).map(AtomicU32::new).collect() }
    }

    /// The smallest number of the set that contains `number`.
    #[inline]
    pub(crate) fn root(&self, number: u32) -> u32 {
        let mut at = number;
        loop {
            let parent = self.parent(at).load(Ordering::Relaxed);
            if parent == at {
                return at;
            }
            let above = self.parent(parent).load(Ordering::Relaxed);
            if above != parent {
                // This shortens the path for later calls. `above` is an ancestor in any case.
                self.parent(at).store(above, Ordering::Relaxed);
            }
            at = above;
        }
    }

    /// Joins the sets of two numbers.
    pub(crate) fn join(&self, one: u32, other: u32) {
        let (mut one, mut other) = (one, other);
        loop {
            (one, other) = (self.root(one), self.root(other));
            if one == other {
                return;
            }
            let (low, high) = (one.min(other), one.max(other));
            let joined =
                self.parent(high).compare_exchange(high, low, Ordering::Relaxed, Ordering::Relaxed);
            if joined.is_ok() {
                return;
            }
        }
    }

    #[inline]
    fn parent(&self, number: u32) -> &AtomicU32 {
        &self.parents[number as usize]
    }
}
