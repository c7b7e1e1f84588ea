//! Executed and skipped transactions.

use alloc::{sync::Arc, vec::Vec};

use alloy_primitives::{Address, B256};
use turnpike_protocol::{Receipt, TxEnvelope};

use crate::{BlockTx, SkipReason};

/// An included transaction with its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutedTx {
    /// The transaction.
    pub tx: BlockTx,
    /// Sender.
    pub sender: Address,
    /// Receipt.
    pub receipt: Receipt,
}

/// A skipped transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Position among all transactions of the block, skipped ones included.
    pub index: usize,
    /// Hash.
    pub hash: B256,
    /// Reason.
    pub reason: SkipReason,
}

/// Transactions of a block since the last request.
#[derive(Clone, Debug, Default)]
pub struct SliceOutcome {
    /// Included transactions, in order.
    pub executed: Vec<Arc<ExecutedTx>>,
    /// Skipped transactions.
    pub skipped: Vec<Skipped>,
}

impl ExecutedTx {
    /// The transaction.
    pub fn envelope(&self) -> &TxEnvelope {
        self.tx.envelope()
    }
}
