//! The proposer: derives the chain from L1 alone and stands up, with a bond, for what it came to.
//!
//! ```text
//! L1 ─► Node: derive, execute ─► decide: finalize, propose, claim back, withdraw ─► L1, one transaction at a time
//! ```
//!
//! It keeps no state of its own: what there is to do follows from L1, after a restart as after a reorg. It needs no
//! sequencer, and builds on whoever's outputs are right. [`turnpike_derivation::ProposerView`] decides what is done.

mod config;
mod proposer;
mod service;

pub use config::ProposerConfig;
pub use service::{run, run_with_hook};
