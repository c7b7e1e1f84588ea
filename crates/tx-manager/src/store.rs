use std::{convert::Infallible, error::Error, fmt::Debug};

use alloy_primitives::{B256, Bytes};
use turnpike_l1::BlobSidecar;

use crate::SentTx;

/// A signed transaction, as it was recorded.
#[derive(Clone, Debug)]
pub struct RecordedTx<P> {
    /// Its hash.
    pub l1_transaction: B256,
    /// What it is for; `None` if it cancels a nonce.
    pub purpose: Option<P>,
    /// Timestamp, in seconds, of the last block that it is good for.
    pub deadline: u64,
    /// Newest block when it was signed.
    pub l1_block: u64,
    /// Its EIP-2718 bytes, without blobs.
    pub raw: Bytes,
}

/// Where signed transactions are kept between runs.
///
/// # Durability
///
/// [`Self::record`] returns once the transaction would survive a crash. The tx manager broadcasts
/// it only then, so that after a restart it knows every transaction that may reach the chain.
pub trait TxStore<P>: Debug + Send + Sync {
    /// Why the store fails.
    type Error: Error + Send + Sync + 'static;

    /// Every transaction that is recorded, in the order of signing.
    fn load(&self) -> impl Future<Output = Result<Vec<RecordedTx<P>>, Self::Error>> + Send;

    /// The blobs of a recorded transaction with this purpose, if the store can make them again.
    /// Without them a blob transaction is followed, but neither broadcast again nor replaced.
    fn sidecar(
        &self,
        purpose: &P,
    ) -> impl Future<Output = Result<Option<BlobSidecar>, Self::Error>> + Send {
        let _ = purpose;
        async { Ok(None) }
    }

    /// Records a transaction.
    fn record(&self, sent: &SentTx<P>) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Drops a transaction: no reorg can bring it back.
    fn forget(&self, l1_transaction: B256) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Keeps nothing: a new run does not know what an earlier one sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct InMemory;

impl<P: Sync> TxStore<P> for InMemory {
    type Error = Infallible;

    async fn load(&self) -> Result<Vec<RecordedTx<P>>, Infallible> {
        Ok(Vec::new())
    }

    async fn record(&self, _: &SentTx<P>) -> Result<(), Infallible> {
        Ok(())
    }

    async fn forget(&self, _: B256) -> Result<(), Infallible> {
        Ok(())
    }
}

/// `None` keeps nothing, like [`InMemory`].
impl<P: Sync, S: TxStore<P>> TxStore<P> for Option<S> {
    type Error = S::Error;

    async fn load(&self) -> Result<Vec<RecordedTx<P>>, S::Error> {
        match self {
            Some(store) => store.load().await,
            None => Ok(Vec::new()),
        }
    }

    async fn sidecar(&self, purpose: &P) -> Result<Option<BlobSidecar>, S::Error> {
        match self {
            Some(store) => store.sidecar(purpose).await,
            None => Ok(None),
        }
    }

    async fn record(&self, sent: &SentTx<P>) -> Result<(), S::Error> {
        match self {
            Some(store) => store.record(sent).await,
            None => Ok(()),
        }
    }

    async fn forget(&self, l1_transaction: B256) -> Result<(), S::Error> {
        match self {
            Some(store) => store.forget(l1_transaction).await,
            None => Ok(()),
        }
    }
}
