//! The sequencer's core: admission, ordering, block production, the journal and what L1 says of the
//! chain.
//!
//! ```text
//! submissions ─► admission ─► producer: pool, slices ─► committer: journal ─► preconfirmation cache: replies, promises
//!                                │ complete block           ▲
//!                                └──────► sealer: roots ────┴──► indexer: index ─► head
//! L1 ─► tracker ─► driver: origin, deposits, safe and finalized heads; halts the producer and rewinds the chain on a reorg
//! ```
//!
//! [`run`] runs one task or thread for each part. All queues between them are bounded. Pool and
//! state have one writer at a time: the producer, or the driver while the producer is halted. The
//! API reads through [`Shared`]. The sequencer replies to a submission once the journal row that
//! holds it is durable; if the transaction ran, the reply is its preconfirmation. A block is
//! visible once the index holds it.
//!
//! [`run_replica`] follows another node's journal and executes all of it again. [`verify`] and
//! [`rebuild`] do so with a database.

mod admin_control;
mod admission;
mod api;
mod backlog;
mod builder;
mod checkpoints;
mod committer;
mod config;
mod derived_block;
#[cfg(test)]
mod documented_table;
mod driver;
mod execution;
mod hashes;
mod maintenance;
mod metrics;
mod notifications;
mod pool;
mod preconfirmation;
mod preconfirmation_cache;
mod producer;
mod refusal;
mod replay;
mod replica;
mod restore;
mod safe_head;
mod sealed;
mod sealer;
mod service;
mod shared;
mod signers;
mod submission_route;
mod tracker;
mod unindexed;

pub use api::{AdminConfig, LogControl};
pub use config::{CHECKPOINT_BLOCKS, SequencerConfig};
pub use execution::{BlockExecution, StageMicroseconds};
pub use maintenance::{Rebuilt, Verified, VerifyConfig, VerifyScope, rebuild, verify};
pub use pool::{Added, Pool, PoolLimits, PooledTx};
pub use preconfirmation::{Preconfirmation, Promise, PromiseDomain, PromiseSigner, WrongKey};
pub use preconfirmation_cache::PreconfirmationError;
pub use refusal::Refusal;
pub use replica::{Divergence, Replica, ReplicaConfig, ReplicaEnd, ReplicaSource, run_replica};
pub use service::{Sequencer, run, run_with_hook};
pub use shared::{Accepted, PostedRange, Settlement, Shared};
pub use submission_route::SubmissionRoute;
