//! Loads a node with transactions of many senders, in an open or a closed loop, and reports
//! throughput and latency.
//!
//! ```text
//! setup: fund, deploy, mint, approve ─► sign (all cores) ─► plan: schedules, arrivals ─► drive: threads, connections
//!                                                                    │ records
//!          report: text, JSON, HTML ◄─ measure ◄─ check: every accepted transaction is searched in the blocks
//! ```
//!
//! All transactions are signed before the clock starts. During the run a connection only writes
//! signed bytes and reads answers; times are kept as numbers and evaluated afterwards.
//!
//! A sender belongs to one connection, so that its nonces arrive in order. In an open loop, latency
//! counts from a transaction's scheduled time, not from its actual sending: a node that stalls
//! cannot hide the stall by slowing its clients down.
//!
//! The node needs standard JSON-RPC only, unless REST is selected.

mod anvil;
mod args;
mod chain;
mod check;
mod client_cost;
mod drive;
mod endpoint;
mod measure;
mod node;
mod phase;
mod plan;
mod ramp;
mod report;
mod rpc;
mod run;
mod senders;
mod setup;
mod sign;
mod sink;
mod transport;
mod workload;

pub use args::LoadArgs;
pub use run::run;
