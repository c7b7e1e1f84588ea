use revm::{context_interface::result::InvalidTransaction, primitives::hardfork::SpecId};
use turnpike_protocol::SignatureError;

/// Why an included transaction leaves no trace in its block. A rule, not a failure: no input makes a block invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// Nobody signed it.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It asks for more gas than the block has left.
    #[error("gas limit {gas_limit} exceeds the {remaining} gas left in the block")]
    BlockGas {
        /// Gas it asks for.
        gas_limit: u64,
        /// Gas left.
        remaining: u64,
    },
    /// Its turn found it invalid: nonce, balance, fees, gas limits, chain id.
    #[error("{0}")]
    Invalid(InvalidTransaction),
}

/// Execution could not go on. Never the fault of a transaction.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError<E: core::error::Error> {
    /// The state view answered with an error.
    #[error("state: {0}")]
    State(E),
    /// The fork is newer than what this state transition knows.
    #[error("fork {0:?} is not supported")]
    Fork(SpecId),
    /// revm gave up for a reason that is none of the transaction's.
    #[error("evm: {0}")]
    Evm(alloc::string::String),
    /// The hash of the block before was to be known later, and whoever was to compute it has given up.
    #[cfg(feature = "std")]
    #[error("the block before was given up")]
    ParentAbandoned,
}
