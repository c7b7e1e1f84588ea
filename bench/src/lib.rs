//! Measurements: what execution costs against plain revm in the same run, and what the other stages cost.
//!
//! ```text
//! workload ─► World (common state before) + Transactions ─► every Implementation, round-robin ─► Report
//! ```
//!
//! A [`Workload`] is made once, by running real contracts' deployments on plain revm; every implementation starts from
//! the state it left and runs the same transactions. Before anything is timed, all implementations must agree on every
//! transaction's gas, success and logs and on every account and slot, fee vaults apart, and every timed round must use
//! the same gas again: a figure for another amount of work is an error, not a result.
//!
//! Signatures are no part of execution: senders are given. Neither is sealing: roots are a stage of their own.

mod args;
mod artifact;
mod clock;
mod execute;
mod implementation;
mod outcome;
mod random;
mod report;
mod setup;
#[cfg(feature = "stages")]
mod stages;
mod terms;
mod transaction;
mod workload;
mod world;

pub use args::ExecuteArgs;
pub use execute::{execute, measure};
pub use report::{Figures, Line};
#[cfg(feature = "stages")]
pub use stages::stages;
pub use transaction::Transaction;
pub use workload::{Kind, WORKLOADS, Workload};
pub use world::{World, WorldAccount};
