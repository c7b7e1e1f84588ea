use std::sync::Arc;

use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::B256;
use rayon::ThreadPool;
use turnpike_state::{PendingRoots, StateDiff, StateRoots};

use crate::{
    BlockOutcome, Engine, Executed, ExecutedTx, HashPromise, list_root::list_root,
    outcome::ListRoots,
};

/// A block that a chain has taken over and whose roots are not known: needs nothing but threads to be completed, and no hold
/// on the chain. Dropped instead, it leaves the chain with a block that can only be taken back.
#[derive(Debug)]
#[must_use = "whoever needs the block's hash waits until it is completed"]
pub struct ClosedBlock {
    /// Without what it changed.
    pub(crate) executed: Executed,
    pub(crate) diff: Arc<StateDiff>,
    pub(crate) roots: PendingRoots,
    pub(crate) hash: HashPromise,
    pub(crate) engine: Arc<Engine>,
}

impl ClosedBlock {
    /// Its number.
    pub const fn number(&self) -> u64 {
        self.executed.header.number
    }

    /// What it changed.
    pub fn diff(&self) -> &StateDiff {
        &self.diff
    }

    /// Computes roots and header, after which its hash is known to the block that runs on it. The threads that do it are not
    /// those that blocks run on, which may be waiting.
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
        // The tries are done with it, so that this moves it.
        executed.overlays.push(Arc::unwrap_or_clone(diff));
        let outcome = executed.seal_with(roots, lists);
        hash.keep(outcome.hash());
        outcome
    }
}

/// Computes the roots of what a block holds on the threads of a pool, and those of the state on this one, which hands out
/// parts of its work to them. This one: whoever holds the tries must not be given other work that needs them.
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

/// On a pool's thread, computes the two beside each other.
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
