//! The state transition: one block of transactions on revm.
//!
//! ```text
//! BlockInput ─► BlockExecutor::open ─► deposit*, transaction* ─► finish ─► Executed ─► seal(roots) ─► BlockOutcome
//! ```
//!
//! [`execute_block`] is that sequence and is the oracle: whatever else executes blocks must equal it in receipts,
//! logs, gas and state root, bit for bit. It is sequential, touches nothing but the state view it is given, and is
//! `no_std` with default features off, so that the proof program runs the same code.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

extern crate alloc;

mod base;
mod block;
#[cfg_attr(not(feature = "std"), allow(dead_code, reason = "lanes need threads"))]
mod block_state;
#[cfg(feature = "std")]
mod call;
#[cfg(feature = "std")]
mod chain;
#[cfg(feature = "std")]
mod closed;
#[cfg(feature = "std")]
mod deferred;
mod env;
mod error;
#[cfg(feature = "faults")]
pub mod faults;
mod handler;
#[cfg(feature = "std")]
mod hook;
mod included;
mod keccak;
#[cfg(feature = "std")]
mod list_root;
#[cfg(feature = "std")]
mod next;
mod outcome;
#[cfg(feature = "std")]
mod parallel;
mod precompiles;
#[cfg_attr(
    not(feature = "std"),
    allow(dead_code, reason = "nothing is learned where every step is to be proven")
)]
mod profile;
mod receipts;
mod runner;
#[cfg(feature = "std")]
mod sandbox;
mod spec;
mod transaction;
mod transfer;

pub use base::BlockHashes;
pub use block::{
    BlockContext, BlockExecutor, Workspace, block_transactions, execute_block, execute_next_block,
};
#[cfg(feature = "std")]
pub use call::{CallOutcome, CallRequest, call};
#[cfg(feature = "std")]
pub use chain::{Chain, ChainHead, RECENT_STATES};
#[cfg(feature = "std")]
pub use closed::ClosedBlock;
#[cfg(feature = "std")]
pub use deferred::{DeferredHash, HashPromise};
pub use env::intrinsic_gas;
pub use error::{ExecutionError, SkipReason};
#[cfg(feature = "std")]
pub use hook::ExecutionHook;
pub use included::{Included, IncludedIter, Transactions};
#[cfg(feature = "std")]
pub use next::{NextBlock, Tip};
pub use outcome::{BlockOutcome, Executed, ExecutedTx, Skipped, SliceOutcome};
#[cfg(feature = "std")]
pub use parallel::{
    Engine, EngineBlock, EngineConfig, EngineCounters, Finished, Grain, LaneReport, Mode,
    SliceReport, StageTimes,
};
pub use precompiles::{is_oracle_precompile, precompile_outcome};
pub use revm::{
    context::TxEnv,
    context_interface::result::{ExecutionResult, HaltReason, InvalidTransaction},
    primitives::hardfork::SpecId,
};
#[cfg(feature = "std")]
pub use sandbox::{
    Checks, ReadError, Sandbox, SandboxContext, SandboxDatabase, SandboxError, SandboxOutcome,
    SandboxState, SandboxTx, StateReader,
};
pub use spec::{ChainSpec, FeeRule, TransactionTypes};
pub use transaction::{BlockTransaction, BlockTx};
pub use transfer::PlainTransfer;
