//! The proof program: derives and executes one block of an inbox entry.
//!
//! ```text
//!  local inputs ─► Config ─┐
//!    (4, set by            ├─► EntryBlocks::block(b) ─► execute_next_block ─► output root
//!     the game)  ─► Entry ─┤                                   ▲
//!                ─► Block ─┴───────────────────────────────────┘ trie nodes, codes, precompiles
//!                     ▲ preimages
//!                   Oracle
//! ```
//!
//! # Job
//!
//! Compute the output root after one block of an inbox entry from the four local inputs. [`run()`]
//! reads only its [`Oracle`](turnpike_protocol::Oracle). Native runs and the proof machine execute
//! the same code.
//!
//! # Invariants
//!
//! - The program does not verify preimages: L1 proves for every word read that it belongs to the
//!   key. A key keeps 248 bits of the hash, for which a second preimage cannot be found. (The
//!   partial state still hashes its nodes and codes, as it does everywhere.)
//! - Every length is bounded before memory is reserved.
//! - The result depends on the oracle alone, not on memory addresses, time or randomness. There are
//!   no threads, and no hash or output depends on the iteration order of a hash map. (Map seeds are
//!   addresses, which only changes the order.)
#![no_std]
#![deny(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod entry;
mod fault;
mod reader;
mod run;

pub use fault::Fault;
pub use run::run;
