//! The proposer: derives the chain from L1 alone and asserts its output roots on L1, with a bond.
//!
//! ```text
//! L1 ─► DerivedChain ─► ProposerView: finalize, propose, void, withdraw ─► TxManager ─► L1
//! ```
//!
//! [`turnpike_derivation::ProposerView`] decides what is due. The proposer sends one transaction at
//! a time and builds on any correct output, its own or another's. It needs no sequencer.
//!
//! # Recovery
//!
//! The proposer stores nothing. After a restart or a reorg, its actions follow from L1 again.

mod config;
mod proposer;
mod service;

pub use config::ProposerConfig;
pub use service::{run, run_with_hook};
