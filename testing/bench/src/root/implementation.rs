//! The implementations of roots: alloy-trie as baseline, and Turnpike's state.

use std::collections::HashMap;

use alloy_primitives::{Address, B256, U256};
use alloy_trie::{TrieAccount, root};
use rayon::{ThreadPool, ThreadPoolBuilder};
use turnpike_state::{Account, FlatState, KeccakBackend, NodeState, StateDiff};

use crate::clock::{Time, critical_path};

/// Turnpike's state with one way to commit a diff.
#[derive(Debug)]
pub(crate) struct Contender {
    name: &'static str,
    state: NodeState,
    /// Two more copies of the tables, to measure applying and undo diffs alone. Separate copies
    /// keep either from warming the other's caches.
    tables: [FlatState; 2],
    pool: ThreadPool,
}

/// Times of the parts of a commit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CommitTimes {
    /// Tables and tries.
    pub(crate) commit: Time,
    /// The flat tables alone.
    pub(crate) tables: Time,
    /// Making the undo diff, before the commit.
    pub(crate) undo: Time,
}

impl Contender {
    pub(crate) const NAME: &str = "turnpike";

    /// With one worker, with several, and with one that hashes without SIMD, each on its own copy
    /// of `state`.
    pub(crate) fn all(state: &NodeState, workers: usize) -> anyhow::Result<Vec<Self>> {
        let with = |name, lanes, workers| {
            let mut state = state.clone();
            state.set_backend(lanes);
            let tables = [state.flat().clone(), state.flat().clone()];
            let pool = ThreadPoolBuilder::new().num_threads(workers).build()?;
            Ok(Self { name, state, tables, pool })
        };
        let mut all = vec![with(Self::NAME, KeccakBackend::detect(), 1)];
        if workers > 1 {
            all.push(with(Self::NAME, KeccakBackend::detect(), workers));
        }
        all.push(with("turnpike-portable", KeccakBackend::Portable, 1));
        all.into_iter().collect()
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn workers(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// The single worker is the baseline.
    pub(crate) fn is_baseline(&self) -> bool {
        self.is_detected() && self.workers() == 1
    }

    /// Whether it uses this CPU's fastest hashing.
    pub(crate) fn is_detected(&self) -> bool {
        self.name == Self::NAME
    }

    /// Commits a diff. Returns the new root, the undo diff and the time of each part.
    pub(crate) fn apply(&mut self, diff: &StateDiff) -> (B256, StateDiff, CommitTimes) {
        let Self { state, tables: [applied, undone], pool, .. } = self;
        let (undo_diff, undo) = critical_path(Some(pool), || undone.undo_of_on(diff, pool));
        undone.apply(diff);
        let ((), tables) = critical_path(Some(pool), || applied.apply_on(diff, pool));
        let (roots, commit) = critical_path(Some(pool), || state.apply_on(diff, pool));
        (roots.state_root, undo_diff, CommitTimes { commit, tables, undo })
    }

    /// The state's tables.
    pub(crate) fn flat(&self) -> &FlatState {
        self.state.flat()
    }
}

/// Computes the root with alloy-trie from the content. Collecting the content is not timed.
pub(crate) fn rebuild(flat: &FlatState) -> (B256, Time) {
    let mut storages = HashMap::<Address, Vec<(B256, U256)>>::new();
    for (address, slot, value) in flat.iter_slots() {
        storages.entry(address).or_default().push((slot.into(), value));
    }
    let accounts = flat.iter_accounts().map(|(address, account)| {
        let slots = storages.remove(&address).unwrap_or_default();
        (address, account, slots)
    });
    let accounts: Vec<_> = accounts.collect();
    critical_path(None, || {
        let accounts = accounts.into_iter().map(|(address, account, slots)| {
            let Account { nonce, balance, code_hash } = account;
            let storage_root = root::storage_root_unhashed(slots);
            (address, TrieAccount { nonce, balance, storage_root, code_hash })
        });
        root::state_root_unhashed(accounts)
    })
}
