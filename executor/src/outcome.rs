use alloc::vec::Vec;
use core::mem;

use alloy_consensus::{
    Transaction as _,
    proofs::{calculate_receipt_root, calculate_transaction_root},
};
use alloy_primitives::{Address, B256, Bloom};
use op_alloy_consensus::OpTxType;
use turnpike_protocol::{Header, OutputRoot, Receipt, ReceiptEnvelope, TxEnvelope};
use turnpike_state::{StateDiff, StateRoots};

#[cfg(feature = "std")]
use crate::BlockTransaction;
use crate::{BlockTx, Included, SkipReason, Transactions};

/// Version of a deposit's receipt encoding (the OP stack's Canyon).
const DEPOSIT_RECEIPT_VERSION: u64 = 1;

/// A transaction that its block holds, with its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutedTx {
    /// The transaction.
    pub tx: BlockTx,
    /// Who sent it.
    pub sender: Address,
    /// What came of it.
    pub receipt: Receipt,
}

/// A transaction that was offered to a block and left no trace in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its place among all that the block was offered.
    pub index: usize,
    /// Its hash.
    pub hash: B256,
    /// Why.
    pub reason: SkipReason,
}

/// A block that has run, before its state root is known.
#[derive(Debug)]
pub struct Executed<T = BlockTx> {
    pub(crate) header: Header,
    /// What the block holds, in order.
    pub transactions: Transactions<T>,
    /// What it does not hold.
    pub skipped: Vec<Skipped>,
    /// What it changes, in parts: no two change the same account or the same slot.
    pub overlays: Vec<StateDiff>,
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

impl ExecutedTx {
    /// The transaction.
    pub fn envelope(&self) -> &TxEnvelope {
        self.tx.envelope()
    }
}

impl Included {
    /// Completes the receipt. `base_fee` is the block's, `cumulative_gas_used` includes this transaction's.
    fn into_executed(self, base_fee: Option<u64>, cumulative_gas_used: u64) -> ExecutedTx {
        let Self { tx, sender, nonce, is_success, gas_used, logs, l1_fee } = self;
        let envelope = tx.envelope();
        let tx_type = envelope.tx_type();
        let is_deposit = tx_type == OpTxType::Deposit;
        let effective_gas_price =
            if is_deposit { 0 } else { envelope.effective_gas_price(base_fee) };
        let envelope = ReceiptEnvelope::from_parts(
            is_success,
            cumulative_gas_used,
            &logs,
            tx_type,
            is_deposit.then_some(nonce),
            is_deposit.then_some(DEPOSIT_RECEIPT_VERSION),
        );
        ExecutedTx {
            tx,
            sender,
            receipt: Receipt { envelope, gas_used, effective_gas_price, l1_fee },
        }
    }
}

impl<T> Executed<T> {
    /// What the block changes, in one piece.
    pub fn diff(&mut self) -> &mut StateDiff {
        if self.overlays.len() != 1 {
            let joined = StateDiff::join(mem::take(&mut self.overlays));
            self.overlays.push(joined);
        }
        &mut self.overlays[0]
    }
}

#[cfg(feature = "std")]
impl<T: BlockTransaction> Executed<T> {
    /// Whether another run of the same transactions came to the same.
    pub(crate) fn is_same(&mut self, other: &mut Self) -> bool {
        let outcome = |tx: &Included<T>| {
            let Included { tx, sender, nonce, is_success, gas_used, logs, l1_fee } = tx;
            (tx.hash(), *sender, *nonce, *is_success, *gas_used, logs.clone(), *l1_fee)
        };
        self.diff().sort();
        other.diff().sort();
        let transactions = self.transactions.iter().map(outcome);
        self.overlays == other.overlays
            && self.skipped == other.skipped
            && transactions.eq(other.transactions.iter().map(outcome))
    }
}

impl Executed {
    /// Demonstration only: credits the last transaction's sender with an ether that nobody paid.
    pub fn falsify(&mut self) {
        const ETHER: u64 = 1_000_000_000_000_000_000;
        let Some(sender) = self.transactions.last().map(|tx| tx.sender) else { return };
        let change = self.diff().accounts.iter_mut().find(|change| change.address == sender);
        if let Some(account) = change.and_then(|change| change.account.as_mut()) {
            account.balance += alloy_primitives::U256::from(ETHER);
        }
    }

    /// The transactions with their receipts.
    pub fn into_executed(self) -> Vec<ExecutedTx> {
        with_receipts(self.transactions, self.header.base_fee_per_gas)
    }

    /// Completes the header with the roots of the state after the block.
    pub fn seal(mut self, roots: StateRoots) -> BlockOutcome {
        let diff = mem::take(self.diff());
        let Self { mut header, transactions, skipped, .. } = self;
        let transactions = with_receipts(transactions, header.base_fee_per_gas);
        let envelopes: Vec<_> = transactions.iter().map(ExecutedTx::envelope).collect();
        let receipts: Vec<_> = transactions.iter().map(|tx| &tx.receipt.envelope).collect();
        header.state_root = roots.state_root;
        header.transactions_root = calculate_transaction_root(&envelopes);
        header.receipts_root = calculate_receipt_root(&receipts);
        header.logs_bloom =
            receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | *receipt.logs_bloom());
        header.gas_used = receipts.last().map_or(0, |receipt| receipt.cumulative_gas_used());
        let output = output_of(&header, roots);
        BlockOutcome { header, output, transactions, skipped, diff }
    }
}

fn with_receipts(transactions: Transactions, base_fee: Option<u64>) -> Vec<ExecutedTx> {
    let mut gas = 0;
    let mut executed = Vec::with_capacity(transactions.len());
    for tx in transactions {
        gas += tx.gas_used;
        executed.push(tx.into_executed(base_fee, gas));
    }
    executed
}

/// The output root's preimage after the block with this header.
pub(crate) fn output_of(header: &Header, roots: StateRoots) -> OutputRoot {
    OutputRoot {
        state_root: roots.state_root,
        message_passer_storage_root: roots.message_passer_storage_root,
        block_hash: header.hash_slow(),
    }
}

impl BlockOutcome {
    /// Hash of the block.
    pub const fn hash(&self) -> B256 {
        self.output.block_hash
    }
}
