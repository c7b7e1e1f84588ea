use std::convert::Infallible;

use turnpike_derivation::DerivationError;
use turnpike_executor::ExecutionError;
use turnpike_game::{ClaimError, TraceError, prove::ProveError};
use turnpike_l1::L1Error;
use turnpike_program::Fault;
use turnpike_protocol::{BatchError, DeriveError};
use turnpike_state::WitnessError;
use turnpike_tx_manager::TxManagerError;

use crate::Attack;

/// Why an adversary cannot attack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdversaryError {
    /// The block holds nothing that the attack can falsify.
    #[error("attack {attack} finds nothing to falsify in block {index} of inbox entry {entry}")]
    Inapplicable {
        /// The attack.
        attack: Attack,
        /// The entry.
        entry: u64,
        /// The block's place in the entry.
        index: u64,
    },
    /// The attack leads to the true output root.
    #[error("attack {0} leads to the true output root")]
    Harmless(Attack),
    /// The program, run on false inputs, does not return the false block's output root.
    #[error("false inputs are inconsistent: the program returns {0:?}")]
    Inconsistent(Result<alloy_primitives::B256, Fault>),
    /// L1 fails.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// A transaction cannot be sent or followed.
    #[error(transparent)]
    TxManager(#[from] TxManagerError),
    /// An entry cannot be derived.
    #[error(transparent)]
    Derivation(#[from] DerivationError),
    /// The false entry cannot be derived.
    #[error(transparent)]
    Derive(#[from] DeriveError),
    /// The false batch cannot be encoded.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The true chain cannot be executed.
    #[error(transparent)]
    Execution(#[from] ExecutionError<Infallible>),
    /// The false block cannot be executed.
    #[error(transparent)]
    FalseExecution(#[from] ExecutionError<WitnessError>),
    /// The witness cannot be made.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// The machine cannot run.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// A claim cannot be computed yet.
    #[error(transparent)]
    ClaimError(#[from] ClaimError),
}

impl AdversaryError {
    /// Whether the next step may succeed.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::L1(L1Error::Rejected(_))
            | Self::TxManager(TxManagerError::L1(L1Error::Rejected(_)))
            | Self::ClaimError(_) => true,
            Self::L1(error) | Self::TxManager(TxManagerError::L1(error)) => error.is_retryable(),
            _ => false,
        }
    }
}
