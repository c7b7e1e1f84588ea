//! The parallel engine: executes a block's transactions in lanes, with the reference executor's
//! outcome.
//!
//! ```text
//! slice ─► predict ─► partition ─► execute lanes ─► find conflicts ─► merge
//!          accesses   dependent                          │            changes of
//!                     transactions                       ▼            all lanes
//!                     share a lane              conflicting lanes become one
//!                                               and execute again
//! ```
//!
//! # Job
//!
//! [`EngineBlock::execute_slice`] plans *waves* from the front of a slice. A wave is a set of lanes
//! that start from the same block state. Each lane executes its transactions in order on one
//! worker. Lanes that conflict are joined and execute again; a wave without conflicts is merged
//! into the block.
//!
//! The block itself is a [`BlockExecutor`](crate::BlockExecutor), the reference executor. It
//! executes sequentially if lanes do not pay off: small slices, transactions that all depend on
//! each other, waves that still conflict after a few rounds, and waves in which a worker panicked.
//! While lanes run, nothing changes the block state.
//! While lanes run, nothing changes the block state.
//!
//! # Invariants
//!
//! - Predictions decide where a transaction runs. They never decide its outcome.
//! - No lane of a merged wave read or wrote a key that another lane of the wave changed.
//! - The sum of a wave's gas limits is at most the gas that the block has left, so no transaction
//!   of a wave is skipped for lack of gas.
//!
//! # Modules
//!
//! From the bottom up. A module imports only from modules above it in this list.
//!
//! | modules | content |
//! |---|---|
//! | `sync`, `lock`, `config`, `report` | atomics, mutexes, configuration, what a slice reports |
//! | `work_queue`, `disjoint_sets` | lock-free structures that workers share |
//! | `workers` | the threads |
//! | `writer_index`, `counters`, `backoff`, `pending_lanes` | data of the stages below |
//! | `speculation`, `call_kinds`, `chunk` | predicted accesses |
//! | `partition`, `conflicts`, `wave_plan`, `lane` | lanes, and the conflicts between them |
//! | `engine`, `lane_worker` | threads and memory for lanes |
//! | `planner`, `rounds` | stages of a wave |
//! | `block` | the open block |
//! | `merge`, `wave`, `slice`, `progress`, `finish` | what a block does, in this order |

mod backoff;
mod block;
mod call_kinds;
mod chunk;
mod config;
mod conflicts;
mod counters;
mod disjoint_sets;
mod engine;
mod finish;
mod lane;
mod lane_worker;
mod lock;
mod merge;
mod partition;
mod pending_lanes;
mod planner;
mod progress;
mod report;
mod rounds;
mod slice;
mod speculation;
mod sync;
mod wave;
mod wave_plan;
mod work_queue;
mod workers;
mod writer_index;

pub use block::EngineBlock;
pub use config::{EngineConfig, Grain, Mode};
pub use counters::EngineCounters;
pub use engine::Engine;
pub use finish::Finished;
pub use report::{LaneReport, SliceReport, StageTimes};
