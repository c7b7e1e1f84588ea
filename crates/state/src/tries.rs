//! The tries of a full state. They may be one diff behind the tables.
//!
//! Invariant: the tables change only after the tries have caught up, so that a pending step still
//! finds the entries that it names. The first reader of the tries makes them catch up and stores
//! the roots for the caller that waits for them.

use alloc::sync::Arc;
use turnpike_keccak::KeccakBackend;

use crate::{
    FlatState, StateDiff, StateRoots,
    changes::Changes,
    forest::{Engine, Forest},
    lock::Lock,
    workers::Workers,
};

/// The tries of a full state, with the step that they have not followed yet.
#[derive(Debug, Default)]
pub(crate) struct Tries(Lock<Followed>);

#[derive(Debug, Default)]
struct Followed {
    forest: Forest,
    behind: Option<TrieStep>,
}

/// A change of the tables that the tries have not followed yet.
#[derive(Debug)]
pub(crate) struct TrieStep {
    /// The tables after the change.
    pub(crate) flat: Arc<FlatState>,
    pub(crate) diff: Arc<StateDiff>,
    pub(crate) changes: Changes,
    pub(crate) backend: KeccakBackend,
    /// Receives the roots.
    pub(crate) roots: Arc<Lock<Option<StateRoots>>>,
}

impl Followed {
    fn catch_up(&mut self, workers: Workers<'_>) {
        let Some(step) = self.behind.take() else { return };
        let TrieStep { flat, diff, changes, backend, roots } = step;
        let engine = Engine { backend, workers };
        *roots.write() = Some(self.forest.follow(&diff, &changes, &flat, engine));
    }
}

impl Tries {
    /// Follows the pending step, if there is one.
    pub(crate) fn catch_up(&self, workers: Workers<'_>) {
        self.0.write().catch_up(workers);
    }

    /// Stores a step to follow later.
    pub(crate) fn fall_behind(&self, step: TrieStep) {
        let mut followed = self.0.write();
        assert!(followed.behind.is_none(), "invariant: tries are at most one step behind");
        followed.behind = Some(step);
    }

    /// Follows a change of the tables. The tries must have caught up before.
    pub(crate) fn follow(
        &self,
        diff: &StateDiff,
        changes: &Changes,
        flat: &FlatState,
        engine: Engine<'_>,
    ) -> StateRoots {
        self.0.write().forest.follow(diff, changes, flat, engine)
    }

    /// Lets the tries catch up, then reads from them.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Forest) -> T) -> T {
        let followed = self.0.read();
        if followed.behind.is_none() {
            return read(&followed.forest);
        }
        drop(followed);
        let mut followed = self.0.write();
        followed.catch_up(Workers::default());
        read(&followed.forest)
    }

    /// Lets the tries catch up, then copies them.
    pub(crate) fn copy(&self) -> Self {
        let forest = self.read(Clone::clone);
        Self(Lock::new(Followed { forest, behind: None }))
    }
}
