//! The state of a full node: flat tables to read from and the trie that authenticates them.

use alloy_primitives::{Address, B256, U256};
use core::convert::Infallible;
use revm_bytecode::Bytecode;

use crate::{
    Account, AccountProof, FlatState, NoNodes, StateCommit, StateDiff, StateRoots, StateTrie,
    StateView, StorageId, Touched, TrieError, Witness,
};

/// Flat state and trie, always at the same block.
///
/// Invariant: the trie is full (no blinded nodes) and its content is that of the flat tables, so
/// nothing here can fail.
#[derive(Clone, Debug, Default)]
pub struct NodeState {
    flat: FlatState,
    trie: StateTrie,
}

impl NodeState {
    /// The state that holds exactly what `diff` sets, and its roots.
    #[must_use]
    pub fn from_genesis(diff: &StateDiff) -> (Self, StateRoots) {
        let mut state = Self::default();
        let roots = state.apply(diff);
        (state, roots)
    }

    /// Applies a diff to both parts. There is no partial outcome: a full trie has no error path.
    ///
    /// # Panics
    ///
    /// Where [`FlatState::apply`] does.
    pub fn apply(&mut self, diff: &StateDiff) -> StateRoots {
        self.flat.apply(diff);
        full(self.trie.apply(diff, &mut NoNodes))
    }

    /// The tables, for readers.
    #[must_use]
    pub fn flat(&self) -> &FlatState {
        &self.flat
    }

    /// The trie, for readers.
    #[must_use]
    pub fn trie(&self) -> &StateTrie {
        &self.trie
    }

    /// The account at `address`.
    #[must_use]
    pub fn account(&self, address: &Address) -> Option<Account> {
        self.flat.account(address)
    }

    /// The value of a slot, zero if unset.
    #[must_use]
    pub fn storage(&self, address: &Address, slot: U256) -> U256 {
        self.flat.storage(address, slot)
    }

    /// The analysed code with this hash.
    #[must_use]
    pub fn code(&self, hash: &B256) -> Option<Bytecode> {
        self.flat.code(hash)
    }

    /// The current roots.
    #[must_use]
    pub fn roots(&self) -> StateRoots {
        full(self.trie.roots())
    }

    /// Merkle proofs of an account and some of its slots, as `eth_getProof` returns them.
    #[must_use]
    pub fn proof(&self, address: &Address, slots: &[U256]) -> AccountProof {
        full(self.trie.account_proof(address, slots))
    }

    /// The preimages that executing a block over a [`PartialState`](crate::PartialState) at the
    /// current root can need, if reads and writes stay within `touched`.
    #[must_use]
    pub fn witness(&self, touched: &Touched) -> Witness {
        let mut witness = Witness::default();
        full(self.trie.collect_witness(touched, &mut witness));
        for hash in &touched.codes {
            if let Some(code) = self.flat.code(hash) {
                witness.insert(*hash, code.original_bytes());
            }
        }
        witness
    }
}

impl StateView for NodeState {
    type Error = Infallible;

    fn account(&mut self, address: &Address) -> Result<Option<(Account, StorageId)>, Infallible> {
        Ok(self.flat.account(address).map(|account| (account, StorageId::default())))
    }

    fn storage(&mut self, address: &Address, _: StorageId, slot: U256) -> Result<U256, Infallible> {
        Ok(self.flat.storage(address, slot))
    }

    fn code(&mut self, hash: &B256) -> Result<Bytecode, Infallible> {
        StateView::code(&mut self.flat, hash)
    }
}

impl StateCommit for NodeState {
    fn commit(&mut self, diff: &StateDiff) -> Result<StateRoots, Infallible> {
        Ok(self.apply(diff))
    }
}

/// Unwraps what can only fail on a blinded node.
fn full<T>(result: Result<T, TrieError>) -> T {
    result.expect("invariant: a full trie has no blinded nodes")
}
