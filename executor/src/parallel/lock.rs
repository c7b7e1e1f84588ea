//! Mutexes of the engine: a panicking worker never poisons them for the blocks after it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex, whether a thread that held it panicked or not.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
