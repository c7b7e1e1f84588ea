//! The L1 side of the sequencer: posts sealed blocks as batches.
//!
//! ```text
//! L1 inbox ─► follow (derive, compare with the journal) ─► settle (what became of batches)
//!                                                             │
//! journal ─► backlog ─► decide ─► pack ─► preview ─► outbox ─► L1 inbox
//! ```
//!
//! What is done is decided by pure code: `decide` (when, with which nonce, replacing what), `fees` (for how much), `kind` (blobs or
//! calldata). [`Poster::look`] gathers what they need and does what they say, and is the key's only owner. One batch is in
//! flight at a time. It is recorded, with every transaction signed for it, before any is broadcast, and the inbox takes it only
//! on top of the entry it was made for: after a crash at any point, each block is posted exactly once. Every entry is derived and
//! compared with the journal, and so is a batch before it is posted: what derivation would drop is never posted, and nothing is
//! posted while the inbox holds what the journal does not.

mod backlog;
mod config;
mod decide;
mod faults;
mod fees;
mod follow;
mod kind;
mod metrics;
mod pack;
mod poster;
mod send;
mod service;
mod settle;

pub use config::{BatcherConfig, DataMode, PostingConfig};
pub use decide::Wait;
pub use faults::{Crash, Faults, Step};
pub use pack::{PackError, Packed, pack};
pub use poster::{Looked, Poster};
pub use service::run;
