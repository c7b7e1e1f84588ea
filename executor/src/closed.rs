//! Completes a closed block (roots, header and hash) while the next block executes.

use std::sync::Arc;

use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::B256;
use rayon::ThreadPool;
use turnpike_state::{PendingRoots, StateDiff, StateRoots};

use crate::{
    BlockOutcome, Engine, Executed, ExecutedTx, HashPromise, list_root::list_root,
    outcome::ListRoots,
};

/// A closed block whose roots are not known yet. Completing it needs no access to the chain. If it
/// is dropped instead, the chain must be rewound.
#[derive(Debug)]
#[must_use = "readers of the block's hash wait until it is completed"]
pub struct ClosedBlock {
    /// The executed block without its diff.
    pub(crate) executed: Executed,
    pub(crate) diff: Arc<StateDiff>,
    pub(crate) roots: PendingRoots,
    pub(crate) hash: HashPromise,
    pub(crate) engine: Arc<Engine>,
}

impl ClosedBlock {
    /// Block number.
    pub const fn number(&self) -> u64 {
        self.executed.header.number
    }

    /// Changes of the block.
    pub fn diff(&self) -> &StateDiff {
        &self.diff
    }

    /// Computes roots and header, and publishes the hash to the block that runs on it. Uses the
    /// root threads, because the threads of blocks may be waiting for this hash.
    pub fn complete(self) -> BlockOutcome {
        let Self { mut executed, diff, roots, hash, engine } = self;
        let pool = engine.root_pool();
        executed.complete_receipts_on(pool);
        let (roots, lists) = match pool {
            Some(pool) => beside(pool, &executed.completed, || roots.compute_on(pool)),
            None => {
                let transactions = transactions_root(&executed.completed);
                let receipts = receipts_root(&executed.completed);
                (roots.compute(), ListRoots { transactions, receipts })
            }
        };
        // The tries no longer hold the diff, so this moves it.
        executed.overlays.push(Arc::unwrap_or_clone(diff));
        let outcome = executed.seal_with(roots, lists);
        hash.keep(outcome.hash());
        outcome
    }
}

/// Computes the list roots on the pool's threads and the state roots on this thread, which passes
/// parts of its work to the pool. This thread holds the tries, so it must not pick up other work
/// that needs them.
fn beside(
    pool: &ThreadPool,
    executed: &[Arc<ExecutedTx>],
    state: impl FnOnce() -> StateRoots,
) -> (StateRoots, ListRoots) {
    let mut lists = None;
    let roots = pool.in_place_scope(|scope| {
        scope.spawn(|_| lists = Some(list_roots(executed)));
        state()
    });
    (roots, lists.expect("invariant: a scope ends when its tasks have"))
}

/// Computes both list roots at the same time. Runs on a thread of the pool.
fn list_roots(executed: &[Arc<ExecutedTx>]) -> ListRoots {
    let (transactions, receipts) =
        rayon::join(|| transactions_root(executed), || receipts_root(executed));
    ListRoots { transactions, receipts }
}

fn transactions_root(executed: &[Arc<ExecutedTx>]) -> B256 {
    list_root(executed.len(), |place, out| executed[place].envelope().encode_2718(out))
}

fn receipts_root(executed: &[Arc<ExecutedTx>]) -> B256 {
    list_root(executed.len(), |place, out| executed[place].receipt.envelope.encode_2718(out))
}
