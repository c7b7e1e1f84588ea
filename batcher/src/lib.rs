//! The L1 side of the sequencer: posts sealed blocks as batches and proposes outputs.
//!
//! ```text
//! sequencer's journal ─► pack ─► Poster ─► L1 inbox ─► confirmed: safe
//!                                             └─► Proposer ─► outputs ─► final
//! ```
//!
//! One transaction of each key is in flight at a time. A batch is recorded before it is broadcast, and the inbox takes
//! it only on top of the entry it was made for: after a crash at any point, each block is posted exactly once. What
//! derivation would drop is never posted.

mod config;
mod pack;
mod poster;
mod proposer;
mod service;

pub use config::BatcherConfig;
pub use pack::{PackError, Packed, pack};
pub use service::run;
