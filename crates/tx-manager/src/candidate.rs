use std::fmt::Debug;

use alloy::rpc::types::{TransactionReceipt, state::StateOverride};
use alloy_primitives::{B256, U256};
use turnpike_l1::{BlobSidecar, Call};

/// What a transaction is for. The owner names it so closely that the name fits one transaction
/// only, also after a reorg: the tx manager never has two transactions with one purpose in flight.
pub trait TxPurpose: Clone + Debug + Ord + Send + Sync + 'static {
    /// Whether a signed transaction stays wanted until it is on chain, whatever the owner wants by
    /// then.
    fn is_standing(&self) -> bool {
        false
    }

    /// Whether the transaction succeeds only after those in flight before it. An estimate on the
    /// newest block then says nothing, so a higher bid keeps the gas limit.
    fn is_chained(&self) -> bool {
        false
    }
}

/// A single purpose, for owners that send one transaction at a time.
impl TxPurpose for () {
    fn is_standing(&self) -> bool {
        true
    }
}

/// A call or blob transaction to bring on chain.
#[derive(Clone, Debug)]
pub struct TxCandidate<P> {
    /// What it is for.
    pub purpose: P,
    /// What is called.
    pub call: Call,
    /// Blobs that it carries.
    pub sidecar: Option<BlobSidecar>,
    /// Timestamp, in seconds, of the last block that it is good for; [`u64::MAX`] if it has time.
    pub deadline: u64,
    /// How its gas limit is found.
    pub gas: GasPlan,
    /// Wei that the account must have left besides the call's value, for what follows from it.
    pub reserve: U256,
}

/// How the gas limit of a transaction is found.
#[derive(Clone, Debug, Default)]
pub struct GasPlan {
    /// Gas that it takes at most, as far as its owner knows. A higher estimate counts.
    pub limit: u64,
    /// Changes to the newest block's state under which it is estimated, for a transaction that
    /// follows others in flight.
    pub overrides: Option<StateOverride>,
}

impl<P> TxCandidate<P> {
    /// A call without a deadline.
    pub const fn call(purpose: P, call: Call) -> Self {
        Self {
            purpose,
            call,
            sidecar: None,
            deadline: u64::MAX,
            gas: GasPlan { limit: 0, overrides: None },
            reserve: U256::ZERO,
        }
    }

    /// The same candidate, which is sent only if the account has this much left besides the call's
    /// value.
    #[must_use]
    pub fn leaving(self, reserve: U256) -> Self {
        Self { reserve, ..self }
    }

    /// The same candidate, good until the block with this timestamp.
    #[must_use]
    pub fn by(self, deadline: u64) -> Self {
        Self { deadline, ..self }
    }
}

/// Result of handing a candidate to the tx manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The transaction with this hash is signed, recorded and broadcast.
    Sent(B256),
    /// The chain would refuse the transaction, for this reason. It is not tried again before the
    /// next block.
    Rejected(String),
    /// The candidate has to wait. Nothing was signed.
    Deferred(Deferral),
}

/// Why a candidate has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deferral {
    /// A transaction with its purpose is in flight, or the chain refused one at the newest block.
    Busy,
    /// As many transactions are in flight as a pool keeps, or some of the other [`TxType`].
    ///
    /// [`TxType`]: crate::TxType
    Queue,
    /// The pool holds foreign transactions of the account.
    Foreign,
    /// The account cannot pay.
    Funds,
    /// Gas costs more than the policy allows.
    Price,
}

/// Something that happened to the tx manager's transactions. The owner turns events into its own
/// events and metrics.
#[derive(Clone, Debug)]
pub enum TxEvent<P> {
    /// A transaction was signed and recorded.
    Signed {
        /// What it is for; `None` if it cancels a nonce.
        purpose: Option<P>,
        /// Whether it replaces another one with the same nonce.
        is_replacement: bool,
    },
    /// A transaction was broadcast again, because the endpoint did not know it.
    Rebroadcast,
    /// The endpoint's pool refused a transaction.
    Refused,
    /// A block holds a transaction. It may have failed.
    Included {
        /// What it is for; `None` if it cancels a nonce.
        purpose: Option<P>,
        /// Its receipt.
        receipt: Box<TransactionReceipt>,
    },
}
