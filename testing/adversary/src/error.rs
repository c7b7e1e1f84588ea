use std::convert::Infallible;

use turnpike_derivation::DerivationError;
use turnpike_executor::ExecutionError;
use turnpike_game::{ClaimError, TraceError, prove::ProveError};
use turnpike_l1::L1Error;
use turnpike_program::Fault;
use turnpike_protocol::{BatchError, DeriveError};
use turnpike_state::WitnessError;

use crate::Kind;

/// Why there is no lie.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiarError {
    /// The block has nothing of what the lie is about.
    #[error(
        "there is nothing in block {index} of inbox entry {entry} to tell a lie of kind {kind} about"
    )]
    Nothing {
        /// The lie.
        kind: Kind,
        /// The entry.
        entry: u64,
        /// Which of its blocks.
        index: u64,
    },
    /// What the lie comes to is true.
    #[error("the lie of kind {0} comes to what is true")]
    Harmless(Kind),
    /// The program does not come to what was computed beside it.
    #[error("the lie does not hold together: {0:?}")]
    Incoherent(Result<alloy_primitives::B256, Fault>),
    /// L1 fails.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// An entry was not taken.
    #[error(transparent)]
    Derivation(#[from] DerivationError),
    /// An entry derives nothing.
    #[error(transparent)]
    Derive(#[from] DeriveError),
    /// Blocks make no batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The chain cannot be executed.
    #[error(transparent)]
    Execution(#[from] ExecutionError<Infallible>),
    /// The false block cannot be executed.
    #[error(transparent)]
    FalseExecution(#[from] ExecutionError<WitnessError>),
    /// There is no witness.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// The machine cannot run.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The player does not know what it believes.
    #[error(transparent)]
    ClaimError(#[from] ClaimError),
}

impl LiarError {
    /// Whether the next look at L1 may find things better.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::L1(L1Error::Rejected(_)) | Self::ClaimError(_) => true,
            Self::L1(error) => error.is_retryable(),
            _ => false,
        }
    }
}
