//! The proof program: one block of an inbox entry, derived and executed.
//!
//! ```text
//!  local inputs ─► Config ─┐
//!    (4, set by            ├─► EntryBlocks::block(b) ─► execute_next_block ─► output root
//!     the game)  ─► Entry ─┤                                   ▲
//!                ─► Head  ─┴───────────────────────────────────┘ trie nodes, codes, precompiles
//!                     ▲ preimages
//!                   Oracle
//! ```
//!
//! [`run()`] reads nothing but its [`Oracle`](turnpike_protocol::Oracle), and of that only what the four local inputs lead to.
//! What is behind a key needs no check of its own: L1 shows for every word read that it belongs to the key, and a key of a hash
//! holds all of it but the first byte, the 248 bits of which nobody finds a second preimage. (The partial state hashes
//! its nodes and codes all the same, as it does wherever it runs.) Lengths are bounded before memory is reserved.
//!
//! The result does not depend on where memory is, on time or on chance: there are no threads, and nothing hashes or puts out
//! what a hash map iterated. (Maps are seeded from addresses, which only moves entries about.)
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
