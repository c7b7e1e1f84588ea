//! Measurements: what execution costs against plain revm and roots against alloy-trie, each in the same run, and what the
//! other stages and proofs cost.
//!
//! ```text
//! workload ─► Blocks: World (common state before) + transactions ─► every Implementation, round-robin ─► Report
//! ```
//!
//! A [`Workload`] is made once, by running real contracts' deployments on plain revm, or read: blocks of real chains.
//! Every implementation starts from the same state and runs the same transactions by the same rules. Before anything is
//! timed, all implementations must agree on every transaction's gas, success and logs and on every account and slot, fee
//! vaults apart, and every timed round must use the same gas again: a figure for another amount of work is an error, not
//! a result.
//!
//! Signatures are no part of execution: senders are given. Neither is sealing: roots are measured by themselves, over a
//! large state, and implementations must agree on the root after every round.

mod args;
mod block;
mod clock;
mod engine_report;
mod execute;
mod implementation;
mod outcome;
#[cfg(feature = "prove")]
mod prove;
mod report;
mod root;
mod samples;
mod scaling;
mod setup;
#[cfg(feature = "stages")]
mod stages;
mod terms;
mod transaction;
mod workload;
mod world;

pub use args::{ExecuteArgs, RootArgs};
pub use block::Block;
pub use engine_report::{EngineReport, StageShares};
pub use execute::{execute, measure};
#[cfg(feature = "prove")]
pub use prove::{ProveArgs, prove};
pub use report::{Bench, Figures, Line, WorstBlock};
pub use root::{Part, measure_roots, root};
#[cfg(feature = "stages")]
pub use stages::stages;
#[cfg(feature = "prove")]
pub use workload::proven::{ProvenBlock, defi_block};
pub use workload::{Kind, WORKLOADS, Workload};
pub use world::{World, WorldAccount};
