//! The authenticated state of the rollup: accounts, contract storage and code, under one root.
//!
//! # Job
//!
//! Serve the reads of execution, apply its writes, and compute Ethereum's state root of the result.
//! One trie implementation serves two uses: the node holds the whole trie, the proof program only
//! the part that a block touches.
//!
//! ```text
//! execution ──reads──▶ StateView ◀── NodeState    = FlatState (reads) + Forest (roots)
//!     │                          ◀── PartialState = StateTrie, blinded  + PreimageSource
//!     └────writes────▶ StateDiff ──▶ StateCommit ──▶ StateRoots
//! ```
//!
//! # Inputs and outputs
//!
//! In: a [`StateDiff`] per block (the final value of everything that changed) and, for a partial
//! state, preimages by keccak hash. Out: account, slot and code reads, [`StateRoots`], Merkle
//! proofs ([`AccountProof`]) and execution witnesses ([`Witness`]).
//!
//! # Invariants
//!
//! - The root is a function of the accounts, slots and code hashes alone: not of the order of
//!   changes, nor of the iteration order of any hash map.
//! - A full and a partial state that start from one root and apply the same diffs agree on every
//!   read and every root, or the partial state fails with an error. It never guesses.
//! - The hash of every preimage is checked before it is used, and no bytes of a preimage source can
//!   make this crate panic or loop.
//!
//! [`History`] keeps recent states as reverse diffs. With the feature `std`, `checkpoint` keeps the
//! state on disk. This crate does not execute transactions and knows only the number of a block. It
//! builds without `std`.

#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(
    not(feature = "std"),
    allow(clippy::arc_with_non_send_sync, reason = "there is one thread")
)]
#![deny(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

extern crate alloc;

mod account;
mod changes;
#[cfg(feature = "std")]
pub mod checkpoint;
mod diff;
mod flat;
mod forest;
mod history;
mod lock;
mod merged;
mod node_state;
mod partial;
mod proof;
mod record;
mod state_trie;
mod table;
mod trie;
mod tries;
mod view;
mod witness;
mod workers;

pub use account::Account;
pub use diff::{AccountDiff, StateDiff};
pub use flat::FlatState;
pub use history::{HistoricalView, History, HistoryLimits};
pub use merged::{MergedAccount, MergedDiff};
pub use node_state::{NodeState, PendingRoots, StateMemory};
pub use partial::{PartialState, WitnessError};
pub use proof::{AccountProof, StorageProof};
pub use record::{RecordingView, Touched};
pub use revm_bytecode::Bytecode;
pub use state_trie::StateTrie;
pub use trie::{NoNodes, NodeSource, Trie, TrieError};
pub use turnpike_keccak::KeccakBackend;
pub use view::{PrecompileOutcome, StateCommit, StateRoots, StateView, StorageId};
pub use witness::{PreimageSource, RecordingSource, Witness};

/// The root of an empty trie: `keccak256(rlp(""))`.
pub const EMPTY_ROOT: alloy_primitives::B256 =
    alloy_primitives::b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
