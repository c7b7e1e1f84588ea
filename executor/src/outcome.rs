use alloc::vec::Vec;

use alloy_consensus::proofs::{calculate_receipt_root, calculate_transaction_root};
use alloy_primitives::{Address, B256, Bloom};
use turnpike_protocol::{Header, OutputRoot, Receipt, TxEnvelope};
use turnpike_state::{StateDiff, StateRoots};

use crate::SkipReason;

/// A transaction that its block holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutedTx {
    /// The transaction.
    pub envelope: TxEnvelope,
    /// Who sent it.
    pub sender: Address,
    /// What came of it.
    pub receipt: Receipt,
}

/// A transaction that was offered to a block and left no trace in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its place among the input's transactions, deposits apart.
    pub index: usize,
    /// Its hash.
    pub hash: B256,
    /// Why.
    pub reason: SkipReason,
}

/// A block that has run, before its state root is known.
#[derive(Clone, Debug)]
pub struct Executed {
    pub(crate) header: Header,
    /// What the block holds, in order.
    pub transactions: Vec<ExecutedTx>,
    /// What it does not hold.
    pub skipped: Vec<Skipped>,
    /// What it changes.
    pub diff: StateDiff,
}

/// A block and all that follows from running it.
#[derive(Clone, Debug)]
pub struct BlockOutcome {
    /// The header.
    pub header: Header,
    /// The preimage of the output root after the block; holds the block's hash.
    pub output: OutputRoot,
    /// What the block holds, in order.
    pub transactions: Vec<ExecutedTx>,
    /// What it does not hold.
    pub skipped: Vec<Skipped>,
    /// What it changed.
    pub diff: StateDiff,
}

impl Executed {
    /// Completes the header with the roots of the state after the block.
    pub fn seal(self, roots: StateRoots) -> BlockOutcome {
        let Self { mut header, transactions, skipped, diff } = self;
        let envelopes: Vec<_> = transactions.iter().map(|tx| &tx.envelope).collect();
        let receipts: Vec<_> = transactions.iter().map(|tx| &tx.receipt.envelope).collect();
        header.state_root = roots.state_root;
        header.transactions_root = calculate_transaction_root(&envelopes);
        header.receipts_root = calculate_receipt_root(&receipts);
        header.logs_bloom =
            receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | *receipt.logs_bloom());
        header.gas_used = receipts.last().map_or(0, |receipt| receipt.cumulative_gas_used());
        let output = OutputRoot {
            state_root: roots.state_root,
            message_passer_storage_root: roots.message_passer_storage_root,
            block_hash: header.hash_slow(),
        };
        BlockOutcome { header, output, transactions, skipped, diff }
    }
}

impl BlockOutcome {
    /// Hash of the block.
    pub const fn hash(&self) -> B256 {
        self.output.block_hash
    }
}
