use std::convert::Infallible;

use turnpike_executor::ExecutionError;
use turnpike_l1::{L1Error, Severity};
use turnpike_protocol::{DeriveError, Parent};

/// Why an entry cannot be applied. An invalid batch is not an error: see
/// [`turnpike_protocol::BatchFault`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DerivationError {
    /// The entry is out of order.
    #[error("expected entry {expected}, found entry {found}")]
    Order {
        /// The next entry.
        expected: u64,
        /// The entry found.
        found: u64,
    },
    /// The entry was derived on top of another block.
    #[error("entry {entry}: expected parent {expected:?}, found {found:?}")]
    Parent {
        /// The entry.
        entry: u64,
        /// The newest block.
        expected: Parent,
        /// The block that the entry was derived on.
        found: Parent,
    },
    /// The data does not match the entry.
    #[error(transparent)]
    Derive(#[from] DeriveError),
    /// A block cannot be executed.
    #[error("block {block}: {error}")]
    Execution {
        /// The block.
        block: u64,
        /// The executor's error.
        error: ExecutionError<Infallible>,
    },
}

impl DerivationError {
    /// What the caller should do.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Order { .. } | Self::Parent { .. } => Severity::Reset,
            Self::Derive(_) | Self::Execution { .. } => Severity::Critical,
        }
    }
}

/// Why a chain cannot follow L1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// L1 cannot be read.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// An entry cannot be applied.
    #[error(transparent)]
    Derivation(#[from] DerivationError),
}

impl From<DeriveError> for FollowError {
    fn from(error: DeriveError) -> Self {
        Self::Derivation(error.into())
    }
}

impl FollowError {
    /// What the caller should do.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::L1(error) => error.severity(),
            Self::Derivation(error) => error.severity(),
        }
    }
}
