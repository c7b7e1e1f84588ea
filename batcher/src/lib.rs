//! The batcher: packs sealed blocks into batches and posts them to the inbox on L1.
//!
//! ```text
//! L1 inbox ─► follow (derive, compare with the journal) ─► inclusion (included, dropped, confirmed)
//!                                                             │
//! journal ─► backlog ─► decide ─► pack ─► preview ─► commit ─► outbox ─► L1 inbox
//! ```
//!
//! Decisions are pure code: `decide` (when a batch is due, and by when L1 has to hold it), `fees`
//! (the cost of a batch), `data_kind` (blobs or calldata). [`BatchPoster::step`] collects their
//! inputs and hands each batch to [`turnpike_tx_manager`], which signs, bids, records, broadcasts
//! and replaces.
//!
//! Many batches are in flight. Each is recorded before a transaction for it is signed, every
//! transaction before it is broadcast, and the inbox accepts a batch only on top of the content
//! before it: after a crash at any point, each block is posted exactly once. A batch that can no
//! longer follow gives its nonce to the next one.
//!
//! Every entry is derived and compared with the journal, and so is a batch before it is posted. A
//! batch that derivation would drop is never posted, and nothing is posted while the inbox holds
//! blocks that the journal does not.

mod backlog;
mod config;
mod data_kind;
mod decide;
mod faults;
mod fees;
mod follow;
mod inclusion;
mod items;
mod metrics;
mod outbox;
mod pack;
mod plan;
mod poster;
mod recorded;
mod rotation;
mod send;
mod service;

pub use config::{BatcherConfig, DataMode, PostingConfig};
pub use decide::WaitReason;
pub use faults::{CrashPlan, CrashPoint, PlannedCrash};
pub use pack::{PackError, PackedBatch, pack};
pub use poster::{BatchPoster, Databases, StepOutcome};
pub use service::run;
