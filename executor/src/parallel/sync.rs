//! What threads share without a lock: in the engine these types, under a model checker its own.

pub(super) use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
