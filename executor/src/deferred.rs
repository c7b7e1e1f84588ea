//! The hash of a block whose roots are computed while the next block runs.

use std::sync::{Arc, OnceLock};

use alloy_primitives::B256;

/// A block's hash. It is known after the [`HashPromise`] is kept. Clones share the hash.
#[derive(Clone, Debug)]
pub struct DeferredHash(Arc<OnceLock<Option<B256>>>);

/// The promise of a [`DeferredHash`]. Dropping it without keeping it wakes all waiters.
#[derive(Debug)]
pub struct HashPromise(DeferredHash);

impl DeferredHash {
    /// Creates an unknown hash and the promise to publish it.
    pub fn promised() -> (HashPromise, Self) {
        let hash = Self(Arc::default());
        (HashPromise(hash.clone()), hash)
    }

    /// Creates a known hash.
    pub fn known(hash: B256) -> Self {
        Self(Arc::new(OnceLock::from(Some(hash))))
    }

    /// The hash, if it is known.
    pub fn get(&self) -> Option<B256> {
        self.0.get().copied().flatten()
    }

    /// Waits for the hash. `None` if the promise was dropped.
    pub fn wait(&self) -> Option<B256> {
        *self.0.wait()
    }

    /// Whether the promise was dropped.
    pub fn is_abandoned(&self) -> bool {
        self.0.get().is_some_and(Option::is_none)
    }
}

impl PartialEq for DeferredHash {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for DeferredHash {}

impl HashPromise {
    /// Publishes the hash to all waiters.
    pub fn keep(self, hash: B256) {
        let is_first = self.0.0.set(Some(hash)).is_ok();
        assert!(is_first, "invariant: a promise is kept once");
    }
}

impl Drop for HashPromise {
    fn drop(&mut self) {
        // After `keep` this has no effect.
        let _ = self.0.0.set(None);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const HASH: B256 = B256::repeat_byte(7);

    #[test]
    fn all_waiters_get_the_hash() {
        let (promise, hash) = DeferredHash::promised();
        assert_eq!(hash.get(), None);
        thread::scope(|scope| {
            let waiting = [hash.clone(), hash.clone()].map(|hash| scope.spawn(move || hash.wait()));
            promise.keep(HASH);
            for waiting in waiting {
                assert_eq!(waiting.join().expect("ends"), Some(HASH));
            }
        });
        assert_eq!((hash.get(), hash.is_abandoned()), (Some(HASH), false));
        assert_eq!(DeferredHash::known(HASH).wait(), Some(HASH));
    }

    #[test]
    fn dropped_promise_wakes_waiters() {
        let (promise, hash) = DeferredHash::promised();
        assert!(!hash.is_abandoned());
        let waiting = thread::spawn({
            let hash = hash.clone();
            move || hash.wait()
        });
        drop(promise);
        assert_eq!(waiting.join().expect("ends"), None);
        assert_eq!((hash.get(), hash.is_abandoned()), (None, true));
    }
}
