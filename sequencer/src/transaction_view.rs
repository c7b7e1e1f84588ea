//! Transactions between their acceptance and the index: in the pool, or in the preconfirmation
//! cache.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes};
use turnpike_storage::{Database, StorageError};

use crate::{
    Accepted, Pool, PoolLimits, Preconfirmation, PreconfirmationError, Refusal,
    preconfirmation_cache::{CachedTx, PreconfirmationCache},
};

/// The transactions that the index does not hold in a block yet.
#[derive(Debug)]
pub struct TransactionView {
    pool: RwLock<Pool>,
    pub(crate) preconfirmations: PreconfirmationCache,
    client_database: Arc<Database>,
}

impl TransactionView {
    pub(crate) fn new(pool: PoolLimits, client_database: Arc<Database>) -> Self {
        let pool = RwLock::new(Pool::new(pool));
        Self { pool, preconfirmations: PreconfirmationCache::default(), client_database }
    }

    /// Number of transactions in the preconfirmation cache.
    pub fn preconfirmed_count(&self) -> usize {
        self.preconfirmations.len()
    }

    /// A transaction's preconfirmation, between the commit of its slice and its block's indexing.
    pub fn preconfirmed(&self, hash: &B256) -> Option<Arc<Preconfirmation>> {
        self.preconfirmations.preconfirmed(hash)
    }

    /// Waits for a pending transaction's preconfirmation. The caller bounds the wait.
    pub async fn wait_preconfirmed(
        &self,
        hash: B256,
    ) -> Result<Arc<Preconfirmation>, PreconfirmationError> {
        match self.preconfirmations.wait(hash) {
            Ok(found) => Ok(found),
            Err(wait) => wait.await.unwrap_or(Err(PreconfirmationError::Stopping)),
        }
    }

    /// Bytes and sender of an accepted transaction that no indexed block includes.
    pub fn waiting(&self, hash: &B256) -> Option<(Bytes, Address)> {
        // Pool first, then cache: a transaction that moves from one to the other in between is not
        // missed.
        if let Some(tx) = self.pool().get(hash) {
            return Some((tx.raw.clone(), tx.sender));
        }
        match self.preconfirmations.get(hash)? {
            CachedTx::Running { raw, sender } => Some((raw, sender)),
            CachedTx::Preconfirmed(promise) => {
                let tx = &promise.transaction;
                Some((tx.envelope().encoded_2718().into(), tx.sender))
            }
        }
    }

    /// The missing nonce that a pending transaction waits for, if any.
    pub fn missing_nonce(&self, hash: &B256) -> Option<u64> {
        let pool = self.pool();
        let tx = pool.get(hash)?;
        pool.next_nonce(&tx.sender).filter(|next| *next < tx.tx.nonce())
    }

    /// Whether the next block would include a pending transaction.
    pub fn is_runnable(&self, hash: &B256) -> bool {
        self.missing_nonce(hash).is_none()
            && (self.pool().get(hash).is_some() || self.preconfirmations.get(hash).is_some())
    }

    /// Why an accepted transaction was refused.
    pub async fn refusal(&self, hash: &B256) -> Result<Option<String>, StorageError> {
        match self.preconfirmations.refusal(hash) {
            Some(reason) => Ok(Some(reason)),
            None => self.client_database.refusal(hash).await,
        }
    }

    /// The sender's next nonce, if it differs from the account's: counts preconfirmed transactions
    /// and pending ones without a gap.
    pub fn next_nonce(&self, sender: &Address) -> Option<u64> {
        let pooled = self.pool().next_nonce(sender);
        pooled.max(self.preconfirmations.next_nonce(sender))
    }

    /// The pool, for reading.
    pub fn pool(&self) -> RwLockReadGuard<'_, Pool> {
        self.pool.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool, for the producer, and for the driver while the producer is halted.
    pub(crate) fn pool_mut(&self) -> RwLockWriteGuard<'_, Pool> {
        self.pool.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the preconfirmations that exist by now to the replies.
    pub(crate) fn with_promises(
        &self,
        mut results: Vec<Result<Accepted, Refusal>>,
    ) -> Vec<Result<Accepted, Refusal>> {
        self.preconfirmations.add_preconfirmations(results.iter_mut().flatten());
        results
    }
}
