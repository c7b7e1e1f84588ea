//! All tries of a full state: the trie of accounts and a trie of slots for each account with any.
//!
//! Job: follow the changes of the flat tables, and compute roots, proofs and witnesses. The tries
//! keep shape and hashes. They read the contents of leaves from the tables by entry number.
//!
//! # Shape
//!
//! Every trie is split below its root: arena `n` holds the subtrees whose first nibble is `n`, for
//! all tries. A separate arena, the crown, holds the root branches. So sixteen parts of about equal
//! size can be changed and hashed independently, for one huge storage trie as for a million small
//! ones, and nodes of all tries share the SIMD lanes of the hash.
//!
//! ```text
//! crown      [account root]   [storage root 1]   [storage root 2] …
//! arena 0    …0 subtree       …0 subtree         …0 subtree
//! arena 1    …1 subtree                          …1 subtree
//! ```
//!
//! A trie whose keys all begin with one nibble has no root branch: its root lies in that nibble's
//! arena.
//!
//! Between two calls no node is blinded or dirty, so no function here can fail.

mod commit;
mod finish;
mod follow;
mod leaves;
mod read;
mod root;

use alloc::vec::Vec;
use turnpike_keccak::KeccakBackend;

use crate::{trie::Arena, workers::Workers};
use root::Root;

/// No storage trie.
const NONE: u32 = u32::MAX;

/// How a commit is computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Engine<'a> {
    /// The hash implementation.
    pub(crate) backend: KeccakBackend,
    /// The threads that compute it.
    pub(crate) workers: Workers<'a>,
}

/// Subtrees by first nibble, and root branches.
#[derive(Clone, Debug, Default)]
struct Grove {
    arenas: [Arena; 16],
    crown: Arena,
}

/// The storage tries.
#[derive(Clone, Debug, Default)]
struct Storages {
    /// The number of each account's storage trie, by the account's entry number.
    of: Vec<u32>,
    roots: Vec<Root>,
    free: Vec<u32>,
}

/// The account trie and all storage tries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forest {
    grove: Grove,
    accounts: [Root; 1],
    storages: Storages,
}

impl Storages {
    /// The number of an account's storage trie.
    #[inline]
    fn number(&self, account: u32) -> Option<u32> {
        self.of.get(account as usize).copied().filter(|number| *number != NONE)
    }

    /// The root of an account's storage trie, if it has one.
    #[inline]
    fn root(&self, account: u32) -> Option<&Root> {
        self.number(account).map(|number| &self.roots[number as usize])
    }

    /// The number of an account's storage trie. Creates the trie if the account has none.
    fn number_or_new(&mut self, account: u32) -> u32 {
        if let Some(number) = self.number(account) {
            return number;
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.roots.push(Root::default());
            u32::try_from(self.roots.len() - 1).expect("invariant: fewer tries than accounts")
        });
        let account = account as usize;
        if account >= self.of.len() {
            self.of.resize(account + 1, NONE);
        }
        self.of[account] = number;
        number
    }

    /// Removes an account's storage trie.
    fn remove(&mut self, account: u32) {
        if let Some(number) = self.number(account) {
            self.of[account as usize] = NONE;
            self.roots[number as usize] = Root::default();
            self.free.push(number);
        }
    }

    fn memory(&self) -> usize {
        self.of.capacity() * 4
            + self.roots.capacity() * size_of::<Root>()
            + self.free.capacity() * 4
    }
}

impl Forest {
    /// Bytes that the tries take.
    pub(crate) fn memory(&self) -> usize {
        let arenas: usize = self.grove.arenas.iter().map(Arena::memory).sum();
        arenas + self.grove.crown.memory() + self.storages.memory()
    }
}
