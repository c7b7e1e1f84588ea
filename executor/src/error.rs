//! Why a transaction is skipped, and why execution fails.

use revm::{context_interface::result::InvalidTransaction, primitives::hardfork::SpecId};
use turnpike_protocol::SignatureError;

/// Why a transaction is skipped. Skipping is a rule, not a failure: no input makes a block invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// Its signature is invalid.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It asks for more gas than the block has left.
    #[error("gas limit {gas_limit} exceeds the {remaining} gas left in the block")]
    BlockGas {
        /// Its gas limit.
        gas_limit: u64,
        /// Gas left in the block.
        remaining: u64,
    },
    /// It is invalid at its turn: nonce, balance, fees, gas limits, chain id.
    #[error("{0}")]
    Invalid(InvalidTransaction),
}

/// Execution failed. A transaction is never the cause.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError<E: core::error::Error> {
    /// The state view failed.
    #[error("state: {0}")]
    State(E),
    /// The fork is newer than this state transition.
    #[error("fork {0:?} is not supported")]
    Fork(SpecId),
    /// revm failed for a reason that is not the transaction's.
    #[error("evm: {0}")]
    Evm(alloc::string::String),
    /// The parent's hash was deferred, and its computation was abandoned.
    #[cfg(feature = "std")]
    #[error("execution of the parent block was abandoned")]
    ParentAbandoned,
}
