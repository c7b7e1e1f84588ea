//! The sequencer's core: admission, ordering, block production, the journal and what L1 says of the
//! chain.
//!
//! ```text
//! submissions ─► admission ─► producer: pool, slices ─► committer: journal ─► preconfirmations
//!                                │ complete block           ▲
//!                                └──────► sealer: roots ────┴──► indexer: index ─► head
//! L1 ─► tracker ─► driver: origin, deposits, safe and finalized heads, reorgs
//! ```
//!
//! [`Sequencer`] runs one task or thread for each part. All queues between them are bounded. Pool
//! and state have one writer at a time: the producer, or the driver while the producer is halted.
//! The sequencer replies to a submission once the journal row that holds it is durable; if the
//! transaction ran, the reply is its preconfirmation. A block is visible once the index holds it.
//!
//! The crate serves nothing itself and knows no HTTP server. `turnpike-api` composes servers around
//! the [`NodeHandles`]. `turnpike-replica` executes another node's journal with the same parts.

mod admin_control;
mod admission;
mod backlog;
mod builder;
mod chain_handle;
pub mod checkpoints;
mod committer;
mod config;
mod derived_block;
mod divergence;
#[cfg(test)]
mod documented_table;
mod driver;
mod execution;
mod failure;
mod handles;
pub mod hashes;
mod metrics;
pub mod notifications;
mod pool;
mod preconfirmation;
mod preconfirmation_cache;
mod producer;
mod producer_event;
mod refusal;
pub mod replay;
pub mod restore;
pub mod safe_head;
pub mod sealed;
mod sealer;
mod server_tasks;
mod service;
mod settlement;
mod slice;
mod submission;
mod submission_handle;
mod submission_route;
pub mod tracker;
mod transaction_view;
pub mod unindexed;

pub use admin_control::{AdminControl, ProducerStopped};
pub use chain_handle::ChainHandle;
pub use config::{BacklogLimits, CHECKPOINT_BLOCKS, ORIGIN_STEP, SequencerConfig};
pub use divergence::Divergence;
pub use execution::{BlockExecution, StageMicroseconds};
pub use failure::NodeFailure;
pub use handles::{HeadSenders, NodeHandles};
pub use pool::{Added, Pool, PoolLimits, PooledTx};
pub use preconfirmation::{Preconfirmation, Promise, PromiseDomain, PromiseSigner, WrongKey};
pub use preconfirmation_cache::PreconfirmationError;
pub use refusal::Refusal;
pub use server_tasks::{RunningServers, ServerTask, ended_early};
pub use service::Sequencer;
pub use settlement::{PostedRange, Settlement, SettlementView};
pub use submission::Accepted;
pub use submission_handle::SubmissionHandle;
pub use submission_route::SubmissionRoute;
pub use transaction_view::TransactionView;
