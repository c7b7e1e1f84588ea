use std::fmt;

use alloy::transports::TransportError;
use alloy_primitives::{Address, B256, U256};
use turnpike_derivation::DerivationError;
use turnpike_l1::L1Error;

use crate::Layer;

/// Why something was not done. Nothing has changed on either layer, but for [`Self::Failed`], which cost its gas.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// L1 gave no answer that can be used.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// The L2 node does not answer, or not as it should.
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
    /// It takes a node of L2, and none was named.
    #[error("this takes an L2 node: name one with --l2-url")]
    NoL2,
    /// It takes a node of L2, or the chain as L1 gives it.
    #[error(
        "this takes an L2 node: name one with --l2-url, or derive the chain from L1 alone with --from-l1"
    )]
    NoSource,
    /// What was served contradicts itself.
    #[error("answers do not fit together: {0}")]
    Inconsistent(String),
    /// Nobody knows the transaction.
    #[error("no transaction {0} was found: is it the right chain, and is it included?")]
    Unknown(B256),
    /// The transaction is not in a block yet.
    #[error("transaction {0} is not in a block yet")]
    NotIncluded(B256),
    /// The deposit is not on L2 yet.
    #[error("deposit {0} is in L1's queue and not on L2 yet: see `turnpike bridge status`")]
    NotOnL2(B256),
    /// The transaction has sent no message to L1.
    #[error("transaction {0} is not a withdrawal: it has sent no message to L1")]
    NotAWithdrawal(B256),
    /// An L1 transaction that neither deposits nor forces anything.
    #[error("L1 transaction {0} has queued no deposit")]
    NotABridging(B256),
    /// The transaction has failed on L2.
    #[error("transaction {0} has failed on L2: nothing was withdrawn")]
    WithdrawalFailed(B256),
    /// There is no message with that index.
    #[error("the transaction has sent {count} messages to L1: choose one with --index 0 to {}", .count - 1)]
    ChooseMessage {
        /// Messages that the transaction has sent.
        count: usize,
    },
    /// No output covers the withdrawal.
    #[error("not yet provable: no output covers L2 block {block}{}", expected(*.estimated_seconds))]
    NotYetProvable {
        /// Block that holds the withdrawal.
        block: u64,
        /// Seconds until there is likely to be one.
        estimated_seconds: Option<u64>,
    },
    /// There are outputs, but none says what the node says, or what L1 gives.
    #[error(
        "not provable: no output that stands agrees with the chain as it is known here; those that do not: {disagreeing:?}"
    )]
    NoTrueOutput {
        /// Indexes of the outputs that cover the block and claim something else.
        disagreeing: Vec<u64>,
    },
    /// The withdrawal was not proven.
    #[error("withdrawal {0} is not proven: `turnpike bridge prove` comes first")]
    NotProven(B256),
    /// The withdrawal's output is in its challenge window.
    #[error("not yet final: output {output} can be challenged for {seconds} more seconds of L1")]
    NotYetFinal {
        /// Output that it is proven on.
        output: u64,
        /// Seconds until its window ends.
        seconds: u64,
    },
    /// L1 has made the call already.
    #[error("withdrawal {0} is already finalized")]
    AlreadyFinalized(B256),
    /// The guardian has paused withdrawals.
    #[error("withdrawals are paused on L1 by the guardian, for a limited time: try again later")]
    Paused,
    /// The account has too little.
    #[error("balance too small: {account} has {found} {unit} on {layer}, {needed} are needed")]
    BalanceTooSmall {
        /// The account.
        account: Address,
        /// Where.
        layer: Layer,
        /// `wei`, or the token's smallest unit.
        unit: &'static str,
        /// What it has.
        found: U256,
        /// What it takes.
        needed: U256,
    },
    /// The tokens do not belong together.
    #[error("token {l2_token} on L2 stands for {found} on L1, not for {l1_token}")]
    TokenPair {
        /// Token on L1.
        l1_token: Address,
        /// Token on L2.
        l2_token: Address,
        /// What the token on L2 names.
        found: Address,
    },
    /// The L2 token is none that the bridge can mint and burn.
    #[error("there is no bridged token at {0} on L2: it names no token on L1")]
    NotABridgedToken(Address),
    /// A contract would revert.
    #[error("{layer} refuses the transaction: {reason}")]
    Refused {
        /// Where.
        layer: Layer,
        /// The contract's words.
        reason: String,
    },
    /// The transaction was included and has failed.
    #[error("transaction {hash} has failed on {layer}")]
    Failed {
        /// Where.
        layer: Layer,
        /// The transaction.
        hash: B256,
    },
    /// Nothing waits to be forced.
    #[error("no deposit waits: the inbox has taken all of them")]
    NothingWaits,
    /// The oldest deposit that waits is not overdue.
    #[error(
        "nothing to force yet: deposit {index}, the oldest that waits, is overdue in {seconds} seconds of L1 (at {overdue_at})"
    )]
    NotOverdue {
        /// Its place in the queue.
        index: u64,
        /// Seconds until it is overdue.
        seconds: u64,
        /// L1 time from which on it is.
        overdue_at: u64,
    },
    /// Deriving the chain failed.
    #[error("cannot derive the chain from L1: {0}")]
    Derivation(#[from] DerivationError),
    /// Running the derived chain failed.
    #[error("cannot run block {block}: {reason}")]
    Execution {
        /// The block.
        block: u64,
        /// Why.
        reason: String,
    },
}

/// ", the next one is expected in …", if that is known.
fn expected(seconds: Option<u64>) -> impl fmt::Display {
    seconds.map_or_else(String::new, |seconds| match seconds {
        0 => "; one is due".to_owned(),
        _ => format!("; one is expected in about {seconds} seconds"),
    })
}

impl BridgeError {
    /// Whether the same may succeed later, without anybody doing anything about it here.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::L1(error) => error.is_retryable(),
            Self::L2Unreachable(_) => true,
            _ => false,
        }
    }

    /// An answer that never came, without the URL it was to come from.
    pub(crate) fn transport(layer: Layer, error: TransportError) -> Self {
        match (layer, L1Error::from(error)) {
            (Layer::L1, error) => Self::L1(error),
            (Layer::L2, L1Error::Unreachable(message)) => Self::L2Unreachable(message),
            (Layer::L2, other) => Self::L2Unreachable(other.to_string()),
        }
    }
}
