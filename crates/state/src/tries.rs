//! The tries of a full state, which may be one step behind its tables.
//!
//! Invariant: tables move on only when the tries have caught up with them, so that a step finds the entries that it names
//! as it left them. Whoever needs the tries first has them catch up, and leaves the roots to whoever waits for those.

use alloc::sync::Arc;
use turnpike_keccak::KeccakBackend;

use crate::{
    FlatState, StateDiff, StateRoots,
    changes::Changes,
    forest::{Engine, Forest},
    lock::Lock,
    workers::Workers,
};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Tries(Lock<Followed>);

#[derive(Debug, Default)]
struct Followed {
    forest: Forest,
    behind: Option<Step>,
}

/// What tables did, for tries to follow.
#[derive(Debug)]
pub(crate) struct Step {
    /// The tables after it.
    pub(crate) flat: Arc<FlatState>,
    pub(crate) diff: Arc<StateDiff>,
    pub(crate) changes: Changes,
    pub(crate) backend: KeccakBackend,
    /// Where the roots go.
    pub(crate) roots: Arc<Lock<Option<StateRoots>>>,
}

impl Followed {
    fn catch_up(&mut self, workers: Workers<'_>) {
        let Some(step) = self.behind.take() else { return };
        let Step { flat, diff, changes, backend, roots } = step;
        let engine = Engine { backend, workers };
        *roots.write() = Some(self.forest.follow(&diff, &changes, &flat, engine));
    }
}

impl Tries {
    /// Follows the last step, if that has not been done.
    pub(crate) fn catch_up(&self, workers: Workers<'_>) {
        self.0.write().catch_up(workers);
    }

    /// Leaves a step for later.
    pub(crate) fn fall_behind(&self, step: Step) {
        let mut followed = self.0.write();
        assert!(followed.behind.is_none(), "invariant: tries are at most one step behind");
        followed.behind = Some(step);
    }

    /// Follows what was done to tables with which the tries had caught up.
    pub(crate) fn follow(
        &self,
        diff: &StateDiff,
        changes: &Changes,
        flat: &FlatState,
        engine: Engine<'_>,
    ) -> StateRoots {
        self.0.write().forest.follow(diff, changes, flat, engine)
    }

    /// Reads from the tries, which have caught up.
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

    /// A copy, which has caught up.
    pub(crate) fn copy(&self) -> Self {
        let forest = self.read(Clone::clone);
        Self(Lock::new(Followed { forest, behind: None }))
    }
}
