//! A lock for many readers or one writer. Without `std` there is one thread, which never waits.

#[cfg(not(feature = "std"))]
use core::cell::{Ref as ReadGuard, RefCell, RefMut as WriteGuard};
#[cfg(feature = "std")]
use std::sync::{
    PoisonError, RwLock, RwLockReadGuard as ReadGuard, RwLockWriteGuard as WriteGuard,
};

/// A lock for many readers or one writer.
#[derive(Debug, Default)]
pub(crate) struct Lock<T> {
    #[cfg(feature = "std")]
    inner: RwLock<T>,
    #[cfg(not(feature = "std"))]
    inner: RefCell<T>,
}

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        #[cfg(feature = "std")]
        let inner = RwLock::new(value);
        #[cfg(not(feature = "std"))]
        let inner = RefCell::new(value);
        Self { inner }
    }

    pub(crate) fn read(&self) -> ReadGuard<'_, T> {
        #[cfg(feature = "std")]
        return self.inner.read().unwrap_or_else(PoisonError::into_inner);
        #[cfg(not(feature = "std"))]
        self.inner.borrow()
    }

    pub(crate) fn write(&self) -> WriteGuard<'_, T> {
        #[cfg(feature = "std")]
        return self.inner.write().unwrap_or_else(PoisonError::into_inner);
        #[cfg(not(feature = "std"))]
        self.inner.borrow_mut()
    }
}
