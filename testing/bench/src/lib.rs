//! Benchmarks: execution next to plain revm and roots next to alloy-trie, in the same run, and the
//! cost of other stages and proofs.
//!
//! ```text
//! workload ─► blocks: state before + transactions ─► every implementation, in turn ─► Report
//! ```
//!
//! A [`Workload`] is made once, by deploying real contracts on plain revm, or read from blocks of
//! real chains. Every implementation starts from the same state and runs the same transactions by
//! the same rules. Before anything is timed, all implementations must agree on every transaction's
//! gas, success and logs and on every account and slot, fee vaults apart. Every timed round must
//! use the same gas again: a figure for a different amount of work is an error.
//!
//! Execution is measured without signatures, because senders are given, and without sealing: roots
//! are measured separately over a large state, and implementations must agree on the root after
//! every round.

mod adversary;
mod args;
mod block;
mod clock;
#[cfg(feature = "prove")]
mod derive;
mod engine_report;
mod execute;
mod implementation;
#[cfg(feature = "kzg")]
mod kzg;
mod outcome;
mod pre_state;
#[cfg(feature = "prove")]
mod prove;
mod report;
mod resident;
mod root;
mod samples;
mod scaling;
mod setup;
#[cfg(feature = "stages")]
mod stages;
mod terms;
mod transaction;
mod workload;

pub use adversary::{AdversaryArgs, adversary};
pub use args::{ExecuteArgs, MemoryPart, RootArgs};
pub use block::BenchBlock;
#[cfg(feature = "prove")]
pub use derive::{DeriveBenchArgs, derive};
pub use engine_report::{EngineReport, StageShares};
pub use execute::{execute, measure};
#[cfg(feature = "kzg")]
pub use kzg::{KzgArgs, kzg, node_check_time};
pub use pre_state::{PreState, PreStateAccount};
#[cfg(feature = "prove")]
pub use prove::{ProveArgs, prove};
pub use report::{Bench, Figures, ReportLine, WorstBlock};
pub use root::{measure_roots, root};
#[cfg(feature = "stages")]
pub use stages::stages;
#[cfg(feature = "prove")]
pub use workload::proven::{ProvenBlock, defi_block};
pub use workload::{WORKLOADS, Workload, WorkloadKind};
