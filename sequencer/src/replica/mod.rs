//! A replica: follows another node's journal, executes all of it again and serves what it verified.
//!
//! ```text
//! source: feed or database ─► follower ─► execute, compare ─► own journal ─► index ─► API, feed
//! L1 ─► tracker: batches, outputs, safe and finalized heads ───┘ (compares L1 with the source's blocks)
//! ```
//!
//! It trusts no one: it recovers signatures and compares every outcome, state root and hash. The
//! first difference ends it with a [`Divergence`]. It keeps and serves only what it executed
//! itself.

mod database_source;
mod divergence;
mod feed_source;
mod follower;
mod l1_watcher;
mod service;
mod source;
mod writer;

pub use divergence::Divergence;
pub use service::{Replica, ReplicaConfig, ReplicaEnd, ReplicaSource, run_replica};
