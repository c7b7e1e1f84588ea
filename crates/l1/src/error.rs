//! Why L1 could not be read or written, and what the caller should do.

use alloy::transports::{RpcError, TransportErrorKind};
use alloy_primitives::Address;

/// Why L1 could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum L1Error {
    /// The endpoint does not answer, or answers with an error.
    #[error("L1 is unreachable: {0}")]
    Unreachable(String),
    /// The endpoint lacks data that its earlier answers referred to. Behind a load balancer, one of
    /// several servers lags.
    #[error("L1 endpoint is behind its own answers: {0}")]
    NotYet(String),
    /// The endpoint serves another chain.
    #[error("L1 chain id is {found}, the genesis file names {expected}")]
    WrongChain {
        /// Chain id in the genesis file.
        expected: u64,
        /// Chain id of the endpoint.
        found: u64,
    },
    /// The genesis file contains no deployment.
    #[error("the genesis file names no L1 contracts: deploy the chain first")]
    NotDeployed,
    /// A contract is missing.
    #[error("no {contract} contract at {address} on L1")]
    NoContract {
        /// The contract.
        contract: &'static str,
        /// Its expected address.
        address: Address,
    },
    /// The contracts were deployed for another chain.
    #[error(
        "the {contract} contract belongs to another chain: {what} is {found}, expected {expected}"
    )]
    OtherChain {
        /// The contract.
        contract: &'static str,
        /// The value that differs.
        what: &'static str,
        /// The value that follows from the genesis file.
        expected: String,
        /// The contract's value.
        found: String,
    },
    /// A contract's code is not the code that this build knows.
    #[error(
        "the code of the {contract} contract at {address} differs from this build's at byte {at}: expected {expected}, found {found}"
    )]
    OtherCode {
        /// The contract.
        contract: &'static str,
        /// Its address.
        address: Address,
        /// Position of the first byte that differs.
        at: usize,
        /// That byte in this build's code, or the code's end.
        expected: String,
        /// That byte on L1, or the code's end.
        found: String,
    },
    /// The contracts would reject the chain's parameters.
    #[error("the chain cannot be deployed with these parameters: {0}")]
    BadConfig(String),
    /// The endpoint's answers contradict each other.
    #[error("L1 answers are inconsistent: {0}")]
    Inconsistent(String),
    /// A transaction reverted or would revert.
    #[error("L1 refuses the transaction: {0}")]
    Rejected(String),
}

/// The caller's reaction to an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Retry later.
    Temporary,
    /// Read L1's head again and continue from there.
    Reset,
    /// Stop: retrying does not help.
    Critical,
}

impl L1Error {
    /// The caller's reaction to this error.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Unreachable(_) | Self::NotYet(_) => Severity::Temporary,
            // L1's state may have changed since the transaction was signed.
            Self::Rejected(_) => Severity::Reset,
            Self::WrongChain { .. }
            | Self::NotDeployed
            | Self::NoContract { .. }
            | Self::OtherChain { .. }
            | Self::OtherCode { .. }
            | Self::BadConfig(_)
            | Self::Inconsistent(_) => Severity::Critical,
        }
    }

    /// Whether the same request may succeed later.
    pub const fn is_retryable(&self) -> bool {
        matches!(self.severity(), Severity::Temporary)
    }
}

impl From<alloy::transports::TransportError> for L1Error {
    fn from(error: alloy::transports::TransportError) -> Self {
        match error {
            RpcError::Transport(TransportErrorKind::MissingBatchResponse(id)) => {
                Self::Unreachable(format!(
                    "request {id} of a JSON-RPC batch has no answer: does the endpoint take batches?"
                ))
            }
            error => Self::Unreachable(without_urls(&error.to_string())),
        }
    }
}

impl L1Error {
    /// Converts an error of a transaction. An error that L1 itself reports is a rejection.
    pub fn of_transaction(error: alloy::transports::TransportError) -> Self {
        match error.as_error_resp() {
            Some(payload) => Self::Rejected(payload.to_string()),
            None => error.into(),
        }
    }
}

impl From<alloy::contract::Error> for L1Error {
    fn from(error: alloy::contract::Error) -> Self {
        match error {
            alloy::contract::Error::TransportError(error) => error.into(),
            other => Self::Inconsistent(other.to_string()),
        }
    }
}

/// Removes URLs from a message: an endpoint's URL may contain an access key.
fn without_urls(message: &str) -> String {
    message
        .split(' ')
        .map(|word| if word.contains("://") { "(url)" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_removed() {
        let message =
            without_urls("error sending request for url (https://l1.example/v2/KEY): refused");
        assert_eq!(message, "error sending request for url (url) refused");
    }
}
