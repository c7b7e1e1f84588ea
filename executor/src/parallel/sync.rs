//! Atomics that threads share without a lock. The model checker's tests replace this module with
//! their own.

pub(super) use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
