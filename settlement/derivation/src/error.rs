use std::convert::Infallible;

use turnpike_executor::ExecutionError;
use turnpike_l1::{L1Error, Severity};
use turnpike_protocol::DeriveError;

/// Why an entry was not taken. None of it is the chain's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DerivationError {
    /// Entries have to come in order.
    #[error("entry {expected} comes next, entry {found} was given")]
    Order {
        /// The next entry.
        expected: u64,
        /// The entry given.
        found: u64,
    },
    /// The data is not the entry's.
    #[error(transparent)]
    Derive(#[from] DeriveError),
    /// The executor gave up.
    #[error("block {block}: {error}")]
    Execution {
        /// The block.
        block: u64,
        /// Why.
        error: ExecutionError<Infallible>,
    },
}

impl DerivationError {
    /// What the error asks of whoever meets it.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Order { .. } => Severity::Reset,
            Self::Derive(_) | Self::Execution { .. } => Severity::Critical,
        }
    }
}

/// Why a chain does not follow L1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// L1 gave no answer that can be used.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// What it gave was not taken.
    #[error(transparent)]
    Derivation(#[from] DerivationError),
}

impl FollowError {
    /// What the error asks of whoever meets it.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::L1(error) => error.severity(),
            Self::Derivation(error) => error.severity(),
        }
    }
}
