//! The batcher: packs sealed blocks into batches and posts them to the inbox on L1.
//!
//! ```text
//! L1 inbox ─► follow (derive, compare with the journal) ─► inclusion (included, dropped, confirmed)
//!                                                             │
//! journal ─► backlog ─► decide ─► pack ─► preview ─► outbox ─► L1 inbox
//! ```
//!
//! Decisions are pure code: `decide` (when, with which nonce, replacing what), `fees` (the cost of
//! a batch), `data_kind` (blobs or calldata). [`BatchPoster::step`] collects their inputs and acts;
//! it is the only user of the key. Signing, bids and the gas margin come from
//! [`turnpike_tx_manager`].
//!
//! One batch is in flight at a time. It is recorded, with every transaction signed for it, before
//! any is broadcast, and the inbox accepts it only on top of the entry that it was packed for:
//! after a crash at any point, each block is posted exactly once. Every entry is derived and
//! compared with the journal, and so is a batch before it is posted. A batch that derivation would
//! drop is never posted, and nothing is posted while the inbox holds blocks that the journal does
//! not.

mod backlog;
mod config;
mod data_kind;
mod decide;
mod faults;
mod fees;
mod follow;
mod inclusion;
mod metrics;
mod pack;
mod poster;
mod send;
mod service;

pub use config::{BatcherConfig, DataMode, PostingConfig};
pub use decide::WaitReason;
pub use faults::{CrashPlan, CrashPoint, PlannedCrash};
pub use pack::{PackError, PackedBatch, pack};
pub use poster::{BatchPoster, StepOutcome};
pub use service::run;
