//! The preconfirmation cache: outcomes of transactions that the index does not hold yet, and the
//! clients that wait for them.
//!
//! # Job
//!
//! The cache answers for a transaction between the moment it leaves the pool and the moment the
//! index holds its block. It also holds refusals until the index does.
//!
//! # State
//!
//! In memory only. Each transaction is running or preconfirmed; refusals are kept by hash; waiters
//! are kept by hash. Invariant: from its acceptance to its end, a transaction is always in the
//! pool, in this cache or in the index.
//!
//! # Durability
//!
//! The cache shows an outcome only after the journal row that holds it is durable.
//!
//! # Recovery
//!
//! A restart fills the cache with the refusals of journal rows that the index does not hold yet.
//! Blocks after the index are executed again and indexed before the node serves.
//!
//! # Limits
//!
//! The bounded queues between producer and indexer bound the transactions held here. Closed waiters
//! are dropped when the number of awaited transactions doubles, from `WAITED_FOR_MIN` on.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::{Address, B256, Bytes};
use tokio::sync::oneshot;
use turnpike_executor::{BlockOutcome, BlockTx};

use crate::{Accepted, PooledTx, Preconfirmation, hashes::receipt_hashes};

/// Awaited transactions from which on closed waiters are dropped.
const WAITED_FOR_MIN: usize = 1_024;

/// Why a client gets no preconfirmation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PreconfirmationError {
    /// The transaction was refused.
    #[error("{0}")]
    Refused(String),
    /// The sequencer is shutting down.
    #[error("sequencer is shutting down")]
    Stopping,
}

/// The result of waiting for a preconfirmation.
type PreconfirmationResult = Result<Arc<Preconfirmation>, PreconfirmationError>;

/// A transaction that left the pool and that the index does not hold yet.
#[derive(Clone, Debug)]
pub(crate) enum CachedTx {
    /// It is executing, or its slice is not durable yet.
    Running {
        /// Its EIP-2718 bytes.
        raw: Bytes,
        /// Its signer.
        sender: Address,
    },
    /// It was executed, and its slice is durable.
    Preconfirmed(Arc<Preconfirmation>),
}

/// See the module documentation.
#[derive(Debug, Default)]
pub(crate) struct PreconfirmationCache(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    transactions: HashMap<B256, CachedTx>,
    /// For each sender of a transaction in `transactions`: its next nonce, and its newest block.
    nonces: HashMap<Address, (u64, u64)>,
    /// Reasons of refusals that the index does not hold yet.
    refused: HashMap<B256, String>,
    /// Transactions to evict when the index reaches a block.
    blocks: BTreeMap<u64, Vec<(B256, Address)>>,
    waiting: Waiters,
    is_stopping: bool,
}

/// Clients that wait, by transaction.
#[derive(Debug, Default)]
struct Waiters {
    by_hash: HashMap<B256, Vec<oneshot::Sender<PreconfirmationResult>>>,
    /// Awaited transactions that were left after closed waiters were last dropped.
    kept_last: usize,
}

impl Waiters {
    fn add(&mut self, hash: B256, send: oneshot::Sender<PreconfirmationResult>) {
        if self.by_hash.len() >= WAITED_FOR_MIN.max(2 * self.kept_last) {
            self.by_hash.retain(|_, waiting| {
                waiting.retain(|other| !other.is_closed());
                !waiting.is_empty()
            });
            self.kept_last = self.by_hash.len();
        }
        let waiting = self.by_hash.entry(hash).or_default();
        waiting.retain(|other| !other.is_closed());
        waiting.push(send);
    }

    /// Ends all waits for a transaction.
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

    /// Number of transactions that are executing, or executed and not indexed.
    pub(crate) fn len(&self) -> usize {
        self.inner().transactions.len()
    }

    /// A transaction that left the pool and is not indexed yet.
    pub(crate) fn get(&self, hash: &B256) -> Option<CachedTx> {
        self.inner().transactions.get(hash).cloned()
    }

    /// The preconfirmation of a transaction whose block is not indexed yet.
    pub(crate) fn preconfirmed(&self, hash: &B256) -> Option<Arc<Preconfirmation>> {
        match self.inner().transactions.get(hash)? {
            CachedTx::Preconfirmed(found) => Some(Arc::clone(found)),
            CachedTx::Running { .. } => None,
        }
    }

    /// Adds the preconfirmations that exist by now to the replies.
    pub(crate) fn add_preconfirmations<'a>(
        &self,
        accepted: impl Iterator<Item = &'a mut Accepted>,
    ) {
        let inner = self.inner();
        for accepted in accepted {
            if let Some(CachedTx::Preconfirmed(found)) = inner.transactions.get(&accepted.hash) {
                accepted.preconfirmation = Some(Arc::clone(found));
            }
        }
    }

    /// The reason of a refusal that is not indexed yet.
    pub(crate) fn refusal(&self, hash: &B256) -> Option<String> {
        self.inner().refused.get(hash).cloned()
    }

    /// The nonce after the sender's last preconfirmed transaction, if that transaction's block is
    /// not indexed yet.
    pub(crate) fn next_nonce(&self, sender: &Address) -> Option<u64> {
        self.inner().nonces.get(sender).map(|(nonce, _)| *nonce)
    }

    /// Returns a transaction's preconfirmation, or a receiver that waits for it. The caller has
    /// checked that the transaction is known.
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

    /// Records that transactions left the pool and execute now.
    pub(crate) fn mark_running(&self, txs: &[PooledTx]) {
        let mut inner = self.inner();
        for tx in txs {
            let (raw, sender) = (tx.raw.clone(), tx.sender);
            inner.transactions.insert(tx.tx.hash(), CachedTx::Running { raw, sender });
        }
    }

    /// Publishes the outcomes of a durable slice and ends the waits for them.
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

    /// Evicts the blocks up to `block` and these refusals, which the index holds now. Calls
    /// `announce` under the lock: no reader sees the new head with stale entries, and nothing that
    /// the announcement triggers happens before the eviction.
    pub(crate) fn evict_indexed<'a>(
        &self,
        block: u64,
        refused: impl Iterator<Item = &'a B256>,
        announce: impl FnOnce(),
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
        announce();
    }

    /// Drops all blocks that are not indexed, because they are void. Their transactions wait again,
    /// except those that the index holds now: these refusals, and the transactions of `included`
    /// blocks.
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

    /// Ends all waits: the sequencer is shutting down.
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
    fn closed_waiters_are_dropped() {
        let cache = PreconfirmationCache::default();
        let waiting: Vec<_> = (0..10).map(|number| cache.wait(hash(number))).collect();
        for number in 10..20_000 {
            drop(cache.wait(hash(number)));
        }
        assert!(cache.inner().waiting.by_hash.len() <= WAITED_FOR_MIN);
        cache.publish(
            Vec::new(),
            (0..10).map(hash).collect::<Vec<_>>().iter().zip(&vec![String::from("late"); 10]),
        );
        for wait in waiting {
            let reply = wait.expect_err("it has not run").try_recv().expect("is answered");
            assert_eq!(
                reply.expect_err("it will not run"),
                PreconfirmationError::Refused("late".into())
            );
        }
    }

    #[test]
    fn indexed_refusals_are_evicted() {
        let cache = PreconfirmationCache::default();
        let refused: Vec<_> = (0..3).map(|number| (hash(number), "late".to_owned())).collect();
        cache.publish(Vec::new(), refused.iter().map(|(hash, reason)| (hash, reason)));
        cache.evict_indexed(1, [&hash(0)].into_iter(), || {});
        assert_eq!(cache.refusal(&hash(0)), None);
        assert_eq!(cache.refusal(&hash(1)).as_deref(), Some("late"));
        cache.rewind(&refused[..2], std::iter::empty());
        assert_eq!(cache.refusal(&hash(1)), None);
        assert_eq!(cache.refusal(&hash(2)).as_deref(), Some("late"));
    }
}
