//! The sequencer: admission, ordering, block production and the HTTP API.
//!
//! ```text
//! HTTP ─► admission ─► pool ─► block ─► chain ─► journal ─► published
//!                                ▲                             │
//! L1 ─► tracker: origin, deposits, safe and final heads ◄──────┘ (compares what L1 holds with the journal)
//! ```
//!
//! [`run`] is the driver and the only writer of pool, chain and database; everything it decides is decided by
//! synchronous code ([`Pool`], the block builder) that takes the time as an argument. The API reads through
//! [`Shared`]. A transaction is acknowledged when it is durable in the pending list, a block is visible when it is
//! durable in the journal.

mod admission;
mod api;
mod backlog;
mod builder;
mod checkpoints;
mod config;
mod driver;
mod execution;
mod pool;
mod refusal;
mod restore;
mod service;
mod shared;
mod tracker;

pub use config::SequencerConfig;
pub use execution::{BlockExecution, StageMicroseconds};
pub use pool::{Pool, PoolLimits, PooledTx};
pub use refusal::Refusal;
pub use service::{Sequencer, run};
pub use shared::{PostedRange, Settlement, Shared};
