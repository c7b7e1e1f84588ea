//! Transactions between their acceptance and the index: those in the pool, and those in the preconfirmation cache.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes};
use turnpike_storage::{Database, StorageError};

use crate::{
    Accepted, Pool, PoolLimits, Preconfirmation, PreconfirmationError, Refusal,
    preconfirmation_cache::{CachedTx, PreconfirmationCache},
};

/// The transactions that no block of the index holds yet.
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

    /// Transactions in the preconfirmation cache.
    pub fn preconfirmed_count(&self) -> usize {
        self.preconfirmations.len()
    }

    /// What was promised of a transaction, from its slice's commit until its block is in the index.
    pub fn preconfirmed(&self, hash: &B256) -> Option<Arc<Preconfirmation>> {
        self.preconfirmations.preconfirmed(hash)
    }

    /// Waits until a transaction is preconfirmed that waits or runs. The caller bounds the wait.
    pub async fn wait_preconfirmed(
        &self,
        hash: B256,
    ) -> Result<Arc<Preconfirmation>, PreconfirmationError> {
        match self.preconfirmations.wait(hash) {
            Ok(found) => Ok(found),
            Err(wait) => wait.await.unwrap_or(Err(PreconfirmationError::Stopping)),
        }
    }

    /// A transaction that was accepted and is in no block yet: its bytes and its sender.
    pub fn waiting(&self, hash: &B256) -> Option<(Bytes, Address)> {
        // In the order in which they move: a transaction that is found nowhere has moved on.
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

    /// The nonce that a waiting transaction waits for, if it is not its own.
    pub fn missing_nonce(&self, hash: &B256) -> Option<u64> {
        let pool = self.pool();
        let tx = pool.get(hash)?;
        pool.next_nonce(&tx.sender).filter(|next| *next < tx.tx.nonce())
    }

    /// Whether a transaction will be in a block as soon as there is one.
    pub fn is_on_its_way(&self, hash: &B256) -> bool {
        self.missing_nonce(hash).is_none()
            && (self.pool().get(hash).is_some() || self.preconfirmations.get(hash).is_some())
    }

    /// Why a transaction that was accepted will not run.
    pub async fn refusal(&self, hash: &B256) -> Result<Option<String>, StorageError> {
        match self.preconfirmations.refusal(hash) {
            Some(reason) => Ok(Some(reason)),
            None => self.client_database.refusal(hash).await,
        }
    }

    /// The nonce that a sender's next transaction should have, if that is not the account's: preconfirmed ones count, and those
    /// that wait without a gap.
    pub fn next_nonce(&self, sender: &Address) -> Option<u64> {
        let pooled = self.pool().next_nonce(sender);
        pooled.max(self.preconfirmations.next_nonce(sender))
    }

    /// The pool, to read.
    pub fn pool(&self) -> RwLockReadGuard<'_, Pool> {
        self.pool.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool, for the producer, and the driver while that stands still.
    pub(crate) fn pool_mut(&self) -> RwLockWriteGuard<'_, Pool> {
        self.pool.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what is promised of accepted transactions by now.
    pub(crate) fn with_promises(
        &self,
        mut results: Vec<Result<Accepted, Refusal>>,
    ) -> Vec<Result<Accepted, Refusal>> {
        self.preconfirmations.add_preconfirmations(results.iter_mut().flatten());
        results
    }
}
