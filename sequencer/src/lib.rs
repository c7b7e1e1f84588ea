//! The sequencer: admission, ordering, block production and the HTTP API.
//!
//! ```text
//! HTTP ─► admission ─► producer: pool, slices ─► committer: journal ─► published: answers, promises
//!                          │ block complete           ▲
//!                          └──────► sealer: roots ────┴──► indexer: index ─► head
//! L1 ─► tracker ─► driver: origin, deposits, safe and final heads; has the producer stand still where L1 takes blocks back
//! ```
//!
//! [`run`] runs one task or thread for each part; all queues between them are bounded. Pool and state have one writer at a time: the
//! producer, or the driver while the producer stands still. The API reads through [`Shared`]. A submission is answered when the
//! journal's row with it is durable, as preconfirmed if it ran; a block is visible when the index holds it.
//!
//! [`run_replica`] follows another node's journal instead and runs all of it again; [`verify`] and [`rebuild`] do so with a database.

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
