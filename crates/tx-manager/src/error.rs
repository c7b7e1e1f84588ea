use std::error::Error;

use turnpike_l1::L1Error;

/// Why a transaction cannot be sent or followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TxManagerError {
    /// The chain's endpoint failed.
    #[error("cannot send or follow transactions")]
    L1(#[from] L1Error),
    /// The store failed. Nothing is broadcast that is not recorded.
    #[error("cannot record transactions")]
    Store(#[source] Box<dyn Error + Send + Sync>),
}
