//! The state transition: executes one block of transactions on revm.
//!
//! # Job
//!
//! Two executors share one [outcome](Executed). The *reference executor* ([`BlockExecutor`],
//! [`execute_block`]) executes a block sequentially and defines the state transition. It is
//! `no_std` without default features, and the proof program runs it. The *engine* ([`Engine`])
//! executes transactions in parallel lanes and equals the reference executor in receipts, logs, gas
//! and state root, bit for bit. [`Chain`] keeps rules, state and head, block by block. [`Sandbox`]
//! executes calls and replays transactions under an inspector, without changing the chain.
//!
//! ```text
//! BlockInput ─► open ─► deposit*, transaction* ─► finish ─► Executed ─► seal(roots) ─► BlockOutcome
//! ```
//!
//! # Example
//!
//! ```
//! use turnpike_executor::Chain;
//! use turnpike_protocol::{BlockInput, Genesis, Origin};
//!
//! let mut chain = Chain::from_genesis(&Genesis::dev());
//! let origin = Origin { l1_time: 1_800_000_000, ..Origin::default() };
//! let input = BlockInput {
//!     number: 1,
//!     time_ms: 1_000 * (origin.l1_time + 1),
//!     origin,
//!     deposits: Vec::new(),
//!     transactions: Vec::new(),
//! };
//! let outcome = chain.execute(&input)?;
//! assert_eq!(chain.head().hash(), outcome.hash());
//! assert_eq!(chain.state().roots().state_root, outcome.header.state_root);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Invariants
//!
//! - Executors access nothing but the state view that they receive.
//! - The outcome depends only on the block's input and the state before it, in every engine mode.
//! - No input makes a block fail: a transaction that is invalid at its turn is skipped, and a
//!   deposit is always included.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

extern crate alloc;

mod base;
mod block;
mod block_context;
#[cfg_attr(not(feature = "std"), allow(dead_code, reason = "lanes need threads"))]
mod block_state;
#[cfg(feature = "std")]
mod call;
#[cfg(feature = "std")]
mod call_request;
#[cfg(feature = "std")]
mod chain;
#[cfg(feature = "std")]
mod closed;
mod code_size;
#[cfg(feature = "std")]
mod deferred;
mod env;
mod error;
mod evm;
mod evm_context;
mod executed_tx;
#[cfg(feature = "faults")]
pub mod faults;
mod frames;
mod handler;
#[cfg(feature = "std")]
mod head;
#[cfg(feature = "std")]
mod hook;
mod included;
mod keccak;
#[cfg(feature = "std")]
mod list_root;
mod metered;
#[cfg(feature = "std")]
mod next;
mod outcome;
#[cfg(feature = "std")]
mod parallel;
mod plain_transfer;
mod precompiles;
#[cfg_attr(not(feature = "std"), allow(dead_code, reason = "the proof program learns nothing"))]
mod profile;
mod receipts;
mod room;
mod rules;
mod runner;
#[cfg(feature = "std")]
mod sandbox;
mod spec;
mod transaction;
mod transfer;
mod work;

pub use base::BlockHashes;
pub use block::{BlockExecutor, Workspace, block_transactions, execute_block, execute_next_block};
pub use block_context::BlockContext;
#[cfg(feature = "std")]
pub use call::{CallOutcome, call};
#[cfg(feature = "std")]
pub use call_request::CallRequest;
#[cfg(feature = "std")]
pub use chain::{Chain, RECENT_STATES};
#[cfg(feature = "std")]
pub use closed::ClosedBlock;
#[cfg(feature = "std")]
pub use deferred::{DeferredHash, HashPromise};
pub use env::intrinsic_gas;
pub use error::{ExecutionError, SkipReason};
pub use executed_tx::{ExecutedTx, Skipped, SliceOutcome};
#[cfg(feature = "std")]
pub use head::ChainHead;
#[cfg(feature = "std")]
pub use hook::ExecutionHook;
pub use included::{Included, IncludedIter, Transactions};
#[cfg(feature = "std")]
pub use next::{NextBlock, Tip};
pub use outcome::{BlockOutcome, Executed};
#[cfg(feature = "std")]
pub use parallel::{
    Engine, EngineBlock, EngineConfig, EngineCounters, Finished, Grain, LaneReport, Mode,
    SliceReport, StageTimes,
};
pub use plain_transfer::PlainTransfer;
pub use precompiles::{is_oracle_precompile, precompile_outcome};
pub use revm::{
    context::TxEnv,
    context_interface::result::{ExecutionResult, HaltReason, InvalidTransaction},
    primitives::hardfork::SpecId,
};
pub use room::OpenBacklog;
#[cfg(feature = "std")]
pub use sandbox::{
    Checks, ReadError, Sandbox, SandboxContext, SandboxDatabase, SandboxError, SandboxOutcome,
    SandboxState, SandboxTx, StateReader,
};
pub use spec::{ChainSpec, FeeRule, TransactionTypes};
pub use transaction::{BlockTransaction, BlockTx};
pub use work::{WORK_PER_GAS, WorkMeter};
