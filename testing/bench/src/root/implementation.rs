use std::collections::HashMap;

use alloy_primitives::{Address, B256, U256};
use alloy_trie::{TrieAccount, root};
use rayon::{ThreadPool, ThreadPoolBuilder};
use turnpike_state::{Account, FlatState, KeccakBackend, NodeState, StateDiff};

use crate::clock::{Time, longest};

/// Turnpike's own state, in one of the ways to commit a diff to it.
#[derive(Debug)]
pub(crate) struct Contender {
    name: &'static str,
    state: NodeState,
    /// The tables once more, to measure what they take alone: once to apply to, once to make undo diffs from, so
    /// that neither finds in the caches what the other left there.
    tables: [FlatState; 2],
    pool: ThreadPool,
}

/// What each part of a commit took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts {
    /// Tables and tries.
    pub(crate) commit: Time,
    /// The flat tables alone.
    pub(crate) tables: Time,
    /// The diff that leads back, made before.
    pub(crate) undo: Time,
}

impl Contender {
    pub(crate) const NAME: &str = "turnpike";

    /// On one worker, on several, and on one that hashes without SIMD, each over its own copy of `state`.
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

    /// Others are compared with one worker.
    pub(crate) fn is_baseline(&self) -> bool {
        self.is_detected() && self.workers() == 1
    }

    /// Whether it hashes as fast as this CPU can.
    pub(crate) fn is_detected(&self) -> bool {
        self.name == Self::NAME
    }

    /// Commits a diff; gives the new root, the diff that leads back and what each part took.
    pub(crate) fn apply(&mut self, diff: &StateDiff) -> (B256, StateDiff, Parts) {
        let Self { state, tables: [applied, undone], pool, .. } = self;
        let (undo_diff, undo) = longest(Some(pool), || undone.undo_of_on(diff, pool));
        undone.apply(diff);
        let ((), tables) = longest(Some(pool), || applied.apply_on(diff, pool));
        let (roots, commit) = longest(Some(pool), || state.apply_on(diff, pool));
        (roots.state_root, undo_diff, Parts { commit, tables, undo })
    }

    /// The state's tables.
    pub(crate) fn flat(&self) -> &FlatState {
        self.state.flat()
    }
}

/// The root by an independent implementation, from nothing but the content. Gathering that is not timed.
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
    longest(None, || {
        let accounts = accounts.into_iter().map(|(address, account, slots)| {
            let Account { nonce, balance, code_hash } = account;
            let storage_root = root::storage_root_unhashed(slots);
            (address, TrieAccount { nonce, balance, storage_root, code_hash })
        });
        root::state_root_unhashed(accounts)
    })
}
