//! A node that follows another one's journal, runs all of it again and serves what it found to be so.
//!
//! ```text
//! source: feed or database ─► follower ─► run, compare ─► journal of its own ─► index ─► API, feed
//! L1 ─► tracker: batches, outputs, safe and final heads ───────────┘ (compares what L1 holds with what the source gave)
//! ```
//!
//! It believes nobody: signatures are recovered, every outcome, state root and hash is compared, and the first difference ends it
//! with a [`Divergence`]. What it keeps and serves it has run itself.

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
