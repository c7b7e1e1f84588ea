//! The state of a full node: flat tables to read from and the tries that authenticate them.

use alloy_primitives::{Address, B256, U256};
use core::convert::Infallible;
use revm_bytecode::Bytecode;
use turnpike_keccak::Lanes;

use crate::{
    Account, AccountProof, FlatState, StateCommit, StateDiff, StateRoots, StateView, StorageId,
    Touched, Witness,
    forest::{Engine, Forest},
    workers::Workers,
};

/// Flat tables and tries, always at the same block.
///
/// Invariant: the tries are full (no blinded nodes) and their content is that of the flat tables,
/// so nothing here can fail.
#[derive(Clone, Debug)]
pub struct NodeState {
    flat: FlatState,
    forest: Forest,
    lanes: Lanes,
}

impl Default for NodeState {
    /// The state without accounts, which hashes as fast as this CPU can.
    fn default() -> Self {
        Self::with_lanes(Lanes::detect())
    }
}

/// Bytes that a state takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateMemory {
    /// The flat table of accounts.
    pub accounts: usize,
    /// The flat table of slots.
    pub slots: usize,
    /// All tries.
    pub tries: usize,
}

impl NodeState {
    /// The state without accounts, with a choice of how to hash.
    #[must_use]
    pub fn with_lanes(lanes: Lanes) -> Self {
        Self { flat: FlatState::default(), forest: Forest::default(), lanes }
    }

    /// The state that holds exactly what `diff` sets, and its roots.
    #[must_use]
    pub fn from_genesis(diff: &StateDiff) -> (Self, StateRoots) {
        let mut state = Self::default();
        let roots = state.apply(diff);
        (state, roots)
    }

    /// Chooses how to hash from now on. It makes no difference to any result.
    pub fn set_lanes(&mut self, lanes: Lanes) {
        self.lanes = lanes;
    }

    /// Applies a diff to both parts, on the calling thread. There is no partial outcome: full
    /// tries have no error path.
    ///
    /// # Panics
    ///
    /// Where [`FlatState::apply`] does.
    pub fn apply(&mut self, diff: &StateDiff) -> StateRoots {
        self.apply_with(diff, Workers::default())
    }

    /// [`Self::apply`] on the threads of a pool.
    ///
    /// # Panics
    ///
    /// Where [`FlatState::apply`] does.
    #[cfg(feature = "std")]
    pub fn apply_on(&mut self, diff: &StateDiff, pool: &rayon::ThreadPool) -> StateRoots {
        self.apply_with(diff, Workers::pool(pool))
    }

    fn apply_with(&mut self, diff: &StateDiff, workers: Workers<'_>) -> StateRoots {
        let changes = self.flat.follow_with(diff, workers);
        let engine = Engine { lanes: self.lanes, workers };
        let roots = self.forest.follow(diff, &changes, &self.flat, engine);
        self.flat.release();
        roots
    }

    /// Bytes that the state takes, codes excepted.
    #[must_use]
    pub fn memory(&self) -> StateMemory {
        let (accounts, slots) = self.flat.memory();
        StateMemory { accounts, slots, tries: self.forest.memory() }
    }

    /// The tables, for readers.
    #[must_use]
    pub fn flat(&self) -> &FlatState {
        &self.flat
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
        self.forest.roots(&self.flat)
    }

    /// Merkle proofs of an account and some of its slots, as `eth_getProof` returns them.
    #[must_use]
    pub fn proof(&self, address: &Address, slots: &[U256]) -> AccountProof {
        self.forest.account_proof(&self.flat, address, slots)
    }

    /// The preimages that executing a block over a [`PartialState`](crate::PartialState) at the
    /// current root can need, if reads and writes stay within `touched`.
    #[must_use]
    pub fn witness(&self, touched: &Touched) -> Witness {
        let mut witness = Witness::default();
        self.forest.collect_witness(&self.flat, touched, &mut witness);
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
        StateView::account(&mut self.flat, address)
    }

    fn storage(
        &mut self,
        address: &Address,
        id: StorageId,
        slot: U256,
    ) -> Result<U256, Infallible> {
        StateView::storage(&mut self.flat, address, id, slot)
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
