use std::fmt;

use alloy::transports::TransportError;
use alloy_primitives::{Address, B256, U256};
use turnpike_derivation::DerivationError;
use turnpike_l1::{L1Error, ether};

use crate::Layer;

/// Why a command failed. Neither layer has changed, except for [`Self::Failed`], which cost its
/// gas.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// L1 gave no usable answer.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// The L2 node gave no usable answer.
    #[error("L2 is unreachable: {0}")]
    L2Unreachable(String),
    /// The L2 node serves another chain.
    #[error("the L2 node's chain id is {found}, the genesis file names {expected}")]
    WrongL2Chain {
        /// Chain id in the genesis file.
        expected: u64,
        /// Chain id of the node.
        found: u64,
    },
    /// The command needs an L2 node, and none was given.
    #[error("this command needs an L2 node: give one with --l2-url")]
    NoL2,
    /// The command needs an L2 node or the chain derived from L1.
    #[error(
        "this command needs an L2 node: give one with --l2-url, or derive the chain from L1 with --from-l1"
    )]
    NoSource,
    /// Answers contradict each other.
    #[error("inconsistent answers: {0}")]
    Inconsistent(String),
    /// No node knows the transaction.
    #[error("no transaction {0} was found: is it the right chain, and is it included?")]
    Unknown(B256),
    /// The transaction is not in a block yet.
    #[error("transaction {0} is not in a block yet")]
    NotIncluded(B256),
    /// The deposit is not on L2 yet.
    #[error("deposit {0} is in L1's queue and not on L2 yet: see `turnpike bridge status`")]
    NotOnL2(B256),
    /// The transaction sent no message to L1.
    #[error("transaction {0} is not a withdrawal: it has sent no message to L1")]
    NotAWithdrawal(B256),
    /// The L1 transaction neither deposits nor forces anything.
    #[error("L1 transaction {0} has queued no deposit")]
    NotABridging(B256),
    /// The transaction failed on L2.
    #[error("transaction {0} failed on L2: nothing was withdrawn")]
    WithdrawalFailed(B256),
    /// The transaction has no message with that index, or several and no index was given.
    #[error("the transaction has sent {count} messages to L1: choose one with --index 0 to {}", .count - 1)]
    ChooseMessage {
        /// Messages that the transaction sent.
        count: usize,
    },
    /// No output covers the withdrawal.
    #[error("not yet provable: no output covers L2 block {block}{}", expected(*.estimated_seconds))]
    NotYetProvable {
        /// Block that holds the withdrawal.
        block: u64,
        /// Estimated seconds until the next output.
        estimated_seconds: Option<u64>,
    },
    /// Outputs cover the withdrawal, but none agrees with the node or the derived chain.
    #[error(
        "not provable: no undisputed output agrees with the known chain; these disagree: {disagreeing:?}"
    )]
    NoTrueOutput {
        /// Indexes of the outputs that cover the block and disagree.
        disagreeing: Vec<u64>,
    },
    /// The withdrawal is not proven.
    #[error("withdrawal {0} is not proven: run `turnpike bridge prove` first")]
    NotProven(B256),
    /// The withdrawal's output is in its challenge window.
    #[error("not yet final: output {output} can be challenged for {seconds} more seconds of L1")]
    NotYetFinal {
        /// Output that it is proven on.
        output: u64,
        /// Seconds until its window ends.
        seconds: u64,
    },
    /// L1 has already made the call.
    #[error("withdrawal {0} is already finalized")]
    AlreadyFinalized(B256),
    /// The guardian has paused withdrawals.
    #[error("the guardian has paused withdrawals on L1 for a limited time: try again later")]
    Paused,
    /// The balance is too small.
    #[error("balance too small: {account} has {found} {unit} on {layer}, {needed} are needed")]
    BalanceTooSmall {
        /// The account.
        account: Address,
        /// The layer.
        layer: Layer,
        /// `wei`, or the token's smallest unit.
        unit: &'static str,
        /// Its balance.
        found: U256,
        /// Needed balance.
        needed: U256,
    },
    /// The portal holds less ether than the withdrawal takes.
    #[error(
        "L1 can pay out what was deposited: the portal holds {}, the withdrawal takes {}",
        ether(*.held), ether(*.value)
    )]
    NotDeposited {
        /// Wei that the portal holds.
        held: U256,
        /// Wei that the withdrawal takes.
        value: U256,
    },
    /// The tokens are not a pair.
    #[error("token {l2_token} on L2 represents {found} on L1, not {l1_token}")]
    TokenPair {
        /// Token on L1.
        l1_token: Address,
        /// Token on L2.
        l2_token: Address,
        /// The L1 token that the L2 token represents.
        found: Address,
    },
    /// The bridge cannot mint and burn the L2 token.
    #[error("no bridged token at {0} on L2: it represents no token on L1")]
    NotABridgedToken(Address),
    /// A contract would revert.
    #[error("{layer} refuses the transaction: {reason}")]
    Refused {
        /// The layer.
        layer: Layer,
        /// The contract's error.
        reason: String,
    },
    /// The transaction was included and reverted.
    #[error("transaction {hash} has failed on {layer}")]
    Failed {
        /// The layer.
        layer: Layer,
        /// The transaction.
        hash: B256,
    },
    /// There is no deposit to force.
    #[error("no deposit waits: the inbox has taken all of them")]
    NothingWaits,
    /// The oldest queued deposit is not overdue.
    #[error(
        "nothing to force yet: deposit {index}, the oldest in the queue, is overdue in {seconds} seconds of L1 (at {overdue_at})"
    )]
    NotOverdue {
        /// Its queue index.
        index: u64,
        /// Seconds until it is overdue.
        seconds: u64,
        /// L1 time from which on it is.
        overdue_at: u64,
    },
    /// Deriving the chain failed.
    #[error("cannot derive the chain from L1: {0}")]
    Derivation(#[from] DerivationError),
    /// Executing the derived chain failed.
    #[error("cannot execute block {block}: {reason}")]
    Execution {
        /// The block.
        block: u64,
        /// Why.
        reason: String,
    },
}

/// Estimate of the next output, as the end of an error message; empty if there is none.
fn expected(seconds: Option<u64>) -> impl fmt::Display {
    seconds.map_or_else(String::new, |seconds| match seconds {
        0 => "; one is due".to_owned(),
        _ => format!("; one is expected in about {seconds} seconds"),
    })
}

impl BridgeError {
    /// Whether the same request may succeed later.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::L1(error) => error.is_retryable(),
            Self::L2Unreachable(_) => true,
            _ => false,
        }
    }

    /// Whether only time is missing: an output, or the end of a challenge or force window.
    pub const fn is_early(&self) -> bool {
        matches!(
            self,
            Self::NotYetProvable { .. } | Self::NotYetFinal { .. } | Self::NotOverdue { .. }
        )
    }

    /// A failed request, without the URL, which may hold a key.
    pub(crate) fn transport(layer: Layer, error: TransportError) -> Self {
        match (layer, L1Error::from(error)) {
            (Layer::L1, error) => Self::L1(error),
            (Layer::L2, L1Error::Unreachable(message)) => Self::L2Unreachable(message),
            (Layer::L2, other) => Self::L2Unreachable(other.to_string()),
        }
    }
}
