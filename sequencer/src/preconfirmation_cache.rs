//! What has happened and is not in the index yet: preconfirmed transactions, refusals, and who waits to hear of them.
//!
//! Invariant: what is told here is durable in the journal. A transaction is never in none of pool, here and index between
//! its acceptance and its end.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::{Address, B256, Bytes};
use tokio::sync::oneshot;
use turnpike_executor::{BlockOutcome, BlockTx};

use crate::{Accepted, PooledTx, Preconfirmation, hashes::receipt_hashes};

/// Transactions that are waited for, from which on it is seen whether somebody still does.
const WAITED_FOR_MIN: usize = 1_024;

/// Why there is no preconfirmation to wait for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PreconfirmationError {
    /// The transaction will not run.
    #[error("{0}")]
    Refused(String),
    /// The sequencer stops.
    #[error("sequencer is shutting down")]
    Stopping,
}

/// How a wait ends.
type PreconfirmationResult = Result<Arc<Preconfirmation>, PreconfirmationError>;

/// A transaction that is on its way from the pool to the index.
#[derive(Clone, Debug)]
pub(crate) enum CachedTx {
    /// It runs, or ran and is not durable.
    Running {
        /// Its EIP-2718 bytes.
        raw: Bytes,
        /// Who signed it.
        sender: Address,
    },
    /// It ran, and that is durable.
    Preconfirmed(Arc<Preconfirmation>),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct PreconfirmationCache(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    transactions: HashMap<B256, CachedTx>,
    /// Nonce that each sender of a transaction in `transactions` has next, and the newest block of theirs.
    nonces: HashMap<Address, (u64, u64)>,
    /// Why transactions were refused, until the index says so.
    refused: HashMap<B256, String>,
    /// What leaves with each block.
    blocks: BTreeMap<u64, Vec<(B256, Address)>>,
    waiting: Waiters,
    is_stopping: bool,
}

/// Who waits for which transaction.
#[derive(Debug, Default)]
struct Waiters {
    by_hash: HashMap<B256, Vec<oneshot::Sender<PreconfirmationResult>>>,
    /// Transactions that were waited for after those were last let go of for which nobody waits any more.
    kept: usize,
}

impl Waiters {
    fn add(&mut self, hash: B256, send: oneshot::Sender<PreconfirmationResult>) {
        if self.by_hash.len() >= WAITED_FOR_MIN.max(2 * self.kept) {
            self.by_hash.retain(|_, waiting| {
                waiting.retain(|other| !other.is_closed());
                !waiting.is_empty()
            });
            self.kept = self.by_hash.len();
        }
        let waiting = self.by_hash.entry(hash).or_default();
        waiting.retain(|other| !other.is_closed());
        waiting.push(send);
    }

    /// Tells all who wait for a transaction.
    fn end(&mut self, hash: &B256, end: impl Fn() -> PreconfirmationResult) {
        for waiting in self.by_hash.remove(hash).into_iter().flatten() {
            let _ = waiting.send(end());
        }
    }
}

impl PreconfirmationCache {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Transactions that run or ran and are not in the index.
    pub(crate) fn len(&self) -> usize {
        self.inner().transactions.len()
    }

    /// Where a transaction is, if it has left the pool and is not in the index.
    pub(crate) fn get(&self, hash: &B256) -> Option<CachedTx> {
        self.inner().transactions.get(hash).cloned()
    }

    /// What was promised of a transaction whose block is not in the index yet.
    pub(crate) fn preconfirmed(&self, hash: &B256) -> Option<Arc<Preconfirmation>> {
        match self.inner().transactions.get(hash)? {
            CachedTx::Preconfirmed(found) => Some(Arc::clone(found)),
            CachedTx::Running { .. } => None,
        }
    }

    /// Adds what was promised of transactions by now.
    pub(crate) fn promise<'a>(&self, accepted: impl Iterator<Item = &'a mut Accepted>) {
        let inner = self.inner();
        for accepted in accepted {
            if let Some(CachedTx::Preconfirmed(found)) = inner.transactions.get(&accepted.hash) {
                accepted.preconfirmation = Some(Arc::clone(found));
            }
        }
    }

    /// Why a transaction was refused, if that is not in the index yet.
    pub(crate) fn refusal(&self, hash: &B256) -> Option<String> {
        self.inner().refused.get(hash).cloned()
    }

    /// The nonce after a sender's last preconfirmed transaction, if its block is not in the index yet.
    pub(crate) fn next_nonce(&self, sender: &Address) -> Option<u64> {
        self.inner().nonces.get(sender).map(|(nonce, _)| *nonce)
    }

    /// Waits for a transaction's preconfirmation, if it has none. The caller knows that it is somewhere.
    pub(crate) fn wait(
        &self,
        hash: B256,
    ) -> Result<Arc<Preconfirmation>, oneshot::Receiver<PreconfirmationResult>> {
        let mut inner = self.inner();
        if let Some(CachedTx::Preconfirmed(found)) = inner.transactions.get(&hash) {
            return Ok(Arc::clone(found));
        }
        let (send, receive) = oneshot::channel();
        if inner.is_stopping {
            let _ = send.send(Err(PreconfirmationError::Stopping));
        } else {
            inner.waiting.add(hash, send);
        }
        Err(receive)
    }

    /// Transactions have left the pool: they run now.
    pub(crate) fn run(&self, txs: &[PooledTx]) {
        let mut inner = self.inner();
        for tx in txs {
            let (raw, sender) = (tx.raw.clone(), tx.sender);
            inner.transactions.insert(tx.tx.hash(), CachedTx::Running { raw, sender });
        }
    }

    /// A slice is durable.
    pub(crate) fn publish<'a>(
        &self,
        preconfirmed: Vec<Arc<Preconfirmation>>,
        refused: impl IntoIterator<Item = (&'a B256, &'a String)>,
    ) {
        let mut inner = self.inner();
        let inner = &mut *inner;
        for promise in preconfirmed {
            let tx = &promise.transaction;
            let (hash, sender) = (tx.envelope().tx_hash(), tx.sender);
            if let BlockTx::User(signed) = &tx.tx {
                inner.nonces.insert(sender, (signed.nonce() + 1, promise.block));
            }
            inner.blocks.entry(promise.block).or_default().push((hash, sender));
            inner.waiting.end(&hash, || Ok(Arc::clone(&promise)));
            inner.refused.remove(&hash);
            inner.transactions.insert(hash, CachedTx::Preconfirmed(promise));
        }
        for (hash, reason) in refused {
            inner.transactions.remove(hash);
            inner.waiting.end(hash, || Err(PreconfirmationError::Refused(reason.clone())));
            inner.refused.insert(*hash, reason.clone());
        }
    }

    /// The index holds all blocks up to this one, and these refusals. `tell` says so to the others: nobody sees the one without
    /// the other, and nothing that they do because of it comes before this.
    pub(crate) fn indexed<'a>(
        &self,
        block: u64,
        refused: impl Iterator<Item = &'a B256>,
        tell: impl FnOnce(),
    ) {
        let mut inner = self.inner();
        let inner = &mut *inner;
        let later = inner.blocks.split_off(&(block + 1));
        for (hash, sender) in std::mem::replace(&mut inner.blocks, later).into_values().flatten() {
            inner.transactions.remove(&hash);
            if inner.nonces.get(&sender).is_some_and(|(_, newest)| *newest <= block) {
                inner.nonces.remove(&sender);
            }
        }
        refused.for_each(|hash| drop(inner.refused.remove(hash)));
        tell();
    }

    /// All blocks that were not in the index is void, and what ran in them waits again, but for what the index holds now:
    /// these refusals, and these transactions in their blocks.
    pub(crate) fn rewind<'a>(
        &self,
        refused: &[(B256, String)],
        included: impl Iterator<Item = &'a BlockOutcome>,
    ) {
        let mut inner = self.inner();
        for (hash, reason) in refused {
            inner.refused.remove(hash);
            inner.waiting.end(hash, || Err(PreconfirmationError::Refused(reason.clone())));
        }
        for block in included {
            let receipt_hashes = receipt_hashes(&block.transactions);
            for ((index, tx), receipt_hash) in (0..).zip(&block.transactions).zip(receipt_hashes) {
                let (number, tx) = (block.header.number, Arc::clone(tx));
                let hash = tx.envelope().tx_hash();
                let place = || {
                    let tx = Arc::clone(&tx);
                    Arc::new(Preconfirmation::new(number, index, tx, receipt_hash, None))
                };
                inner.waiting.end(&hash, || Ok(place()));
            }
        }
        inner.transactions.clear();
        inner.nonces.clear();
        inner.blocks.clear();
    }

    /// Nothing will happen any more.
    pub(crate) fn stop(&self) {
        let mut inner = self.inner();
        inner.is_stopping = true;
        for waiting in inner.waiting.by_hash.drain().flat_map(|(_, waiting)| waiting) {
            let _ = waiting.send(Err(PreconfirmationError::Stopping));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> B256 {
        B256::left_padding_from(&number.to_be_bytes())
    }

    #[test]
    fn who_does_not_wait_any_more_is_forgotten() {
        let published = PreconfirmationCache::default();
        let waiting: Vec<_> = (0..10).map(|number| published.wait(hash(number))).collect();
        for number in 10..20_000 {
            drop(published.wait(hash(number)));
        }
        assert!(published.inner().waiting.by_hash.len() <= WAITED_FOR_MIN);
        published.publish(
            Vec::new(),
            (0..10).map(hash).collect::<Vec<_>>().iter().zip(&vec![String::from("late"); 10]),
        );
        for wait in waiting {
            let told = wait.expect_err("it has not run").try_recv().expect("is told");
            assert_eq!(
                told.expect_err("it will not run"),
                PreconfirmationError::Refused("late".into())
            );
        }
    }

    #[test]
    fn refusals_go_once_the_look_ups_hold_them() {
        let published = PreconfirmationCache::default();
        let refused: Vec<_> = (0..3).map(|number| (hash(number), "late".to_owned())).collect();
        published.publish(Vec::new(), refused.iter().map(|(hash, reason)| (hash, reason)));
        published.indexed(1, [&hash(0)].into_iter(), || {});
        assert_eq!(published.refusal(&hash(0)), None);
        assert_eq!(published.refusal(&hash(1)).as_deref(), Some("late"));
        published.rewind(&refused[..2], std::iter::empty());
        assert_eq!(published.refusal(&hash(1)), None);
        assert_eq!(published.refusal(&hash(2)).as_deref(), Some("late"));
    }
}
