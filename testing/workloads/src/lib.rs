//! What the benchmarks execute and the load generator sends: contracts, calls, mixes and senders.
//!
//! - [`artifacts`]: creation code of contracts that npm packages publish.
//! - [`calls`]: the functions of these contracts that workloads call.
//! - [`Mix`]: which transaction comes at which turn of a mixed block.
//! - [`worst`]: what the worst blocks repeat.
//! - [`Crowd`]: who sends to whom, drawn from a seed.
//!
//! The crate signs, sends and executes nothing.

pub mod artifacts;
pub mod calls;
mod crowd;
mod mix;
pub mod worst;

pub use crowd::{Crowd, Pair};
pub use mix::{Mix, MixedTransaction};
