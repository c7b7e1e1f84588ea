//! The queue from which workers take the parts of a job.

use super::sync::{AtomicUsize, Ordering};

/// Hands out the numbers from 0 to `len`, each once.
#[derive(Debug)]
pub(crate) struct WorkQueue {
    next: AtomicUsize,
    len: usize,
}

impl WorkQueue {
    /// A queue of the numbers below `len`.
    pub(crate) fn new(len: usize) -> Self {
        Self { next: AtomicUsize::new(0), len }
    }

    /// The next number, if there is one.
    pub(crate) fn take(&self) -> Option<usize> {
        // Relaxed ordering suffices: the data that workers read was written before the workers
        // started.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.len).then_some(number)
    }
}
