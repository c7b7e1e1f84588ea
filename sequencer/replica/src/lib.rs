//! A replica: follows another node's journal, executes all of it again and serves what it verified.
//!
//! ```text
//! source: feed or database ─► follower ─► execute, compare ─► own journal ─► index ─► API, feed
//! L1 ─► tracker: batches, outputs, safe and finalized heads ───┘ (compares them with the source)
//! ```
//!
//! It does not trust the source: it recovers signatures and compares every outcome, state root and
//! hash. The first difference ends it with a [`Divergence`]. It keeps and serves only what it
//! executed itself.
//!
//! [`verify`] and [`rebuild`] do the same with a database at rest: they execute its journal again
//! and compare, or rebuild its index.

mod database_source;
mod feed_source;
mod follower;
mod l1_watcher;
mod maintenance;
mod service;
mod source;
mod writer;

pub use maintenance::{Rebuilt, Verified, VerifyConfig, VerifyScope, rebuild, verify};
pub use service::{Replica, ReplicaConfig, ReplicaEnd, ReplicaSource, run_replica};
use turnpike_sequencer::Divergence;
