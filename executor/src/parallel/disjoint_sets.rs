use super::sync::{AtomicU32, Ordering};

/// Sets of numbers that many threads join at a time, without a lock.
///
/// Each set is a tree in which a number's parent is never larger than itself, so that the root of a set is its smallest
/// number, whoever joined what first. Only roots get new parents that are not already above them, by a
/// compare-and-swap, so that no join is lost.
#[derive(Debug, Default)]
pub(crate) struct DisjointSets {
    parents: Vec<AtomicU32>,
}

impl DisjointSets {
    /// So many numbers, each a set of its own.
    pub(crate) fn new(len: u32) -> Self {
        Self { parents: (0..len).map(AtomicU32::new).collect() }
    }

    /// The smallest number of the set that a number is in.
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
                // A shorter way up for those who come after: `above` is an ancestor in any case.
                self.parent(at).store(above, Ordering::Relaxed);
            }
            at = above;
        }
    }

    /// Makes one set of two numbers' sets.
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
