//! Why a transaction is skipped, and why execution fails.

use revm::{context_interface::result::InvalidTransaction, primitives::hardfork::SpecId};
use turnpike_protocol::SignatureError;

/// Why a transaction is skipped. Skipping is a rule, not a failure: no input makes a block invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// The signature is invalid.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The gas limit exceeds the gas that the block has left.
    #[error("gas limit {gas_limit} exceeds the {remaining} gas left in the block")]
    BlockGas {
        /// Gas limit of the transaction.
        gas_limit: u64,
        /// Gas left in the block.
        remaining: u64,
    },
    /// The block has no work left.
    #[error("the block has no work left for a further transaction")]
    BlockWork,
    /// The transaction is invalid at its turn: nonce, balance, fees, gas limits or chain id.
    #[error("{0}")]
    Invalid(InvalidTransaction),
}

impl SkipReason {
    /// Whether the transaction only lacked room. A later block may include it.
    pub const fn lacks_room(&self) -> bool {
        matches!(self, Self::BlockGas { .. } | Self::BlockWork)
    }
}

/// Execution failed. A transaction is never the cause.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError<E: core::error::Error> {
    /// The state view failed.
    #[error("state: {0}")]
    State(E),
    /// This state transition does not support the fork.
    #[error("fork {0:?} is not supported")]
    Fork(SpecId),
    /// revm failed for a reason outside the transaction.
    #[error("evm: {0}")]
    Evm(alloc::string::String),
    /// The parent's hash was deferred, and its computation was abandoned.
    #[cfg(feature = "std")]
    #[error("execution of the parent block was abandoned")]
    ParentAbandoned,
}
