//! The state of a full node: flat tables to read from and the tries that authenticate them.

use alloc::sync::Arc;
use alloy_primitives::{Address, B256, U256};
use core::convert::Infallible;
use revm_bytecode::Bytecode;
use turnpike_keccak::KeccakBackend;

use crate::{
    Account, AccountProof, FlatState, StateCommit, StateDiff, StateRoots, StateView, StorageId,
    Touched, Witness,
    changes::Changes,
    forest::Engine,
    lock::Lock,
    tries::{TrieStep, Tries},
    workers::Workers,
};

/// Flat tables and tries of one state. Any read of the tries sees the same block as the tables.
///
/// [`Self::advance`] changes the tables and leaves the tries for later or for another thread, so
/// reads of the tables do not wait for the tries.
///
/// Invariant: the tries are full (no blinded nodes) and hold the same content as the flat tables,
/// so nothing here can fail.
#[derive(Debug)]
pub struct NodeState {
    flat: Arc<FlatState>,
    tries: Arc<Tries>,
    backend: KeccakBackend,
}

/// The roots of a state whose tables have advanced. They may not be computed yet.
#[derive(Debug)]
#[must_use = "the roots are computed when they are asked for"]
pub struct PendingRoots {
    tries: Arc<Tries>,
    roots: Arc<Lock<Option<StateRoots>>>,
}

impl PendingRoots {
    /// Computes the roots on the calling thread, unless an earlier read of the tries has computed
    /// them.
    pub fn compute(self) -> StateRoots {
        self.compute_with(Workers::default())
    }

    /// [`Self::compute`] on the threads of a pool. No thread of that pool may wait for the roots.
    #[cfg(feature = "std")]
    pub fn compute_on(self, pool: &rayon::ThreadPool) -> StateRoots {
        self.compute_with(Workers::pool(pool))
    }

    fn compute_with(self, workers: Workers<'_>) -> StateRoots {
        let known = *self.roots.read();
        known.unwrap_or_else(|| {
            self.tries.catch_up(workers);
            self.roots.read().expect("invariant: following a step stores its roots")
        })
    }
}

impl Clone for NodeState {
    /// Copies tables and tries.
    fn clone(&self) -> Self {
        let flat = Arc::new(FlatState::clone(&self.flat));
        Self { flat, tries: Arc::new(self.tries.copy()), backend: self.backend }
    }
}

impl Default for NodeState {
    /// The state without accounts, with the fastest keccak backend of this CPU.
    fn default() -> Self {
        Self::with_backend(KeccakBackend::detect())
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
    /// The state without accounts, with this keccak backend.
    #[must_use]
    pub fn with_backend(backend: KeccakBackend) -> Self {
        Self { flat: Arc::default(), tries: Arc::default(), backend }
    }

    /// The state that holds exactly what `diff` sets, and its roots.
    #[must_use]
    pub fn from_genesis(diff: &StateDiff) -> (Self, StateRoots) {
        let mut state = Self::default();
        let roots = state.apply(diff);
        (state, roots)
    }

    /// Sets the keccak backend for later hashes. The backend does not change any result.
    pub fn set_backend(&mut self, backend: KeccakBackend) {
        self.backend = backend;
    }

    /// Applies a diff to tables and tries, on the calling thread. It cannot fail half way, because
    /// full tries have no errors.
    ///
    /// # Panics
    ///
    /// As [`FlatState::apply`].
    pub fn apply(&mut self, diff: &StateDiff) -> StateRoots {
        self.apply_with(diff, Workers::default())
    }

    /// [`Self::apply`] on the threads of a pool.
    ///
    /// # Panics
    ///
    /// As [`FlatState::apply`].
    #[cfg(feature = "std")]
    pub fn apply_on(&mut self, diff: &StateDiff, pool: &rayon::ThreadPool) -> StateRoots {
        self.apply_with(diff, Workers::pool(pool))
    }

    pub(crate) fn apply_with(&mut self, diff: &StateDiff, workers: Workers<'_>) -> StateRoots {
        let changes = self.move_tables(diff, workers);
        let engine = Engine { backend: self.backend, workers };
        let roots = self.tries.follow(diff, &changes, &self.flat, engine);
        self.tables_mut().release();
        roots
    }

    /// Applies a diff to the tables alone, on the calling thread. The tries follow when they are
    /// read or when the returned roots are computed.
    ///
    /// # Panics
    ///
    /// As [`FlatState::apply`], and if a clone of [`Self::share_flat`] is still held.
    pub fn advance(&mut self, diff: Arc<StateDiff>) -> PendingRoots {
        self.advance_with(diff, Workers::default())
    }

    /// [`Self::advance`] on the threads of a pool.
    ///
    /// # Panics
    ///
    /// As [`Self::advance`].
    #[cfg(feature = "std")]
    pub fn advance_on(&mut self, diff: Arc<StateDiff>, pool: &rayon::ThreadPool) -> PendingRoots {
        self.advance_with(diff, Workers::pool(pool))
    }

    fn advance_with(&mut self, diff: Arc<StateDiff>, workers: Workers<'_>) -> PendingRoots {
        let changes = self.move_tables(&diff, workers);
        let roots = Arc::default();
        self.tries.fall_behind(TrieStep {
            flat: Arc::clone(&self.flat),
            diff,
            changes,
            backend: self.backend,
            roots: Arc::clone(&roots),
        });
        PendingRoots { tries: Arc::clone(&self.tries), roots }
    }

    /// Lets the tries catch up, then applies a diff to the tables.
    fn move_tables(&mut self, diff: &StateDiff, workers: Workers<'_>) -> Changes {
        self.tries.catch_up(workers);
        let flat = self.tables_mut();
        flat.release();
        flat.follow_with(diff, workers)
    }

    fn tables_mut(&mut self) -> &mut FlatState {
        Arc::get_mut(&mut self.flat).expect("invariant: nobody holds tables that change")
    }

    /// Bytes that the state takes, without codes.
    #[must_use]
    pub fn memory(&self) -> StateMemory {
        let (accounts, slots) = self.flat.memory();
        StateMemory { accounts, slots, tries: self.tries.read(|forest| forest.memory()) }
    }

    /// A shared reference to the tables. Drop it before the next [`Self::apply`] or
    /// [`Self::advance`].
    #[must_use]
    pub fn share_flat(&self) -> Arc<FlatState> {
        Arc::clone(&self.flat)
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
        self.tries.read(|forest| forest.roots(&self.flat))
    }

    /// Merkle proofs of an account and some of its slots, as `eth_getProof` returns them.
    #[must_use]
    pub fn proof(&self, address: &Address, slots: &[U256]) -> AccountProof {
        self.tries.read(|forest| forest.account_proof(&self.flat, address, slots))
    }

    /// The preimages that executing a block over a [`PartialState`](crate::PartialState) at the
    /// current root can request, if reads and writes stay within `touched`.
    #[must_use]
    pub fn witness(&self, touched: &Touched) -> Witness {
        let mut witness = Witness::default();
        self.tries.read(|forest| forest.collect_witness(&self.flat, touched, &mut witness));
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
        StateView::account(&mut &*self.flat, address)
    }

    fn storage(
        &mut self,
        address: &Address,
        id: StorageId,
        slot: U256,
    ) -> Result<U256, Infallible> {
        StateView::storage(&mut &*self.flat, address, id, slot)
    }

    fn has_storage(&mut self, address: &Address) -> bool {
        FlatState::has_storage(&self.flat, address)
    }

    fn code(&mut self, hash: &B256) -> Result<Bytecode, Infallible> {
        StateView::code(&mut &*self.flat, hash)
    }
}

impl StateCommit for NodeState {
    fn commit(&mut self, diff: &StateDiff) -> Result<StateRoots, Infallible> {
        Ok(self.apply(diff))
    }
}
