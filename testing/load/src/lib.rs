//! Load on a node: many senders, in an open or a closed loop, and what came of it.
//!
//! ```text
//! setup: fund, deploy, mint, approve ─► sign (all cores) ─► plan: lanes, arrivals ─► drive: threads, connections
//!                                                                    │ records
//!          report: text, JSON, HTML ◄─ measure ◄─ check: every accepted transaction is looked for in the blocks
//! ```
//!
//! Everything that a transaction needs is made before the clock starts. While it runs, a connection does nothing but write
//! what is signed and read answers; what the figures are made of is kept as numbers and evaluated afterwards.
//!
//! A sender belongs to one connection, so that its nonces arrive in order. In an open loop, latency counts from the time at
//! which a transaction was scheduled to be sent, not from when the connection got round to it: a node that stalls cannot
//! hide it by slowing its clients down.
//!
//! Only standard JSON-RPC is asked of a node, but where REST was asked for.

mod against;
mod args;
mod chain;
mod check;
mod client;
mod drive;
mod endpoint;
mod find;
mod measure;
mod node;
mod phase;
mod plan;
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
