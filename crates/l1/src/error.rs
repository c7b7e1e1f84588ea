use alloy_primitives::{Address, B256};

/// Why L1 did not give an answer that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum L1Error {
    /// The endpoint does not answer, or answers a question with an error of its own.
    #[error("L1 is unreachable: {0}")]
    Unreachable(String),
    /// The endpoint does not have yet what another of its answers speaks of: one of many behind a name lags.
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
    /// The genesis file names no deployment.
    #[error("the genesis file names no L1 contracts: deploy the chain first")]
    NotDeployed,
    /// A contract is not there.
    #[error("there is no {contract} contract at {address} on L1")]
    NoContract {
        /// Which one.
        contract: &'static str,
        /// Where it should be.
        address: Address,
    },
    /// The contracts were deployed for another chain.
    #[error(
        "the {contract} contract belongs to another chain: {what} is {found}, expected {expected}"
    )]
    OtherChain {
        /// Which contract.
        contract: &'static str,
        /// Which of its values.
        what: &'static str,
        /// What the genesis file gives.
        expected: B256,
        /// What the contract holds.
        found: B256,
    },
    /// The contracts would refuse the chain's parameters.
    #[error("the chain cannot be deployed with these parameters: {0}")]
    BadConfig(String),
    /// What the endpoint serves contradicts itself.
    #[error("L1 answers do not fit together: {0}")]
    Inconsistent(String),
    /// A transaction would revert, or did.
    #[error("L1 refuses the transaction: {0}")]
    Rejected(String),
}

/// What an error asks of whoever meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// To try the same again later.
    Temporary,
    /// To look again at where L1 is, and go on from there.
    Reset,
    /// To stop: trying again does not help.
    Critical,
}

impl L1Error {
    /// What the error asks of whoever meets it.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Unreachable(_) | Self::NotYet(_) => Severity::Temporary,
            // L1 may have moved on since the transaction was made.
            Self::Rejected(_) => Severity::Reset,
            Self::WrongChain { .. }
            | Self::NotDeployed
            | Self::NoContract { .. }
            | Self::OtherChain { .. }
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
        Self::Unreachable(without_urls(&error.to_string()))
    }
}

impl L1Error {
    /// The answer to a transaction: an error that L1 itself states is a refusal.
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

/// An endpoint's URL may hold an access key: it is never printed.
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
    fn urls_are_not_printed() {
        let message =
            without_urls("error sending request for url (https://l1.example/v2/KEY): refused");
        assert_eq!(message, "error sending request for url (url) refused");
    }
}
