use super::sync::{AtomicUsize, Ordering};

/// Hands out numbers from 0 on, each to one taker.
#[derive(Debug)]
pub(crate) struct WorkQueue {
    next: AtomicUsize,
    len: usize,
}

impl WorkQueue {
    /// The numbers less than `len`.
    pub(crate) fn new(len: usize) -> Self {
        Self { next: AtomicUsize::new(0), len }
    }

    /// The first that nobody has taken.
    pub(crate) fn take(&self) -> Option<usize> {
        // What a taker finds was there before the workers started: nothing is to be ordered.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.len).then_some(number)
    }
}
