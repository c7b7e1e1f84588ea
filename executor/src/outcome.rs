use alloc::{sync::Arc, vec::Vec};
use core::mem;

use alloy_consensus::proofs::{calculate_receipt_root, calculate_transaction_root};
use alloy_primitives::{Address, B256, Bloom};
use turnpike_protocol::{Header, OutputRoot, Receipt, TxEnvelope};
use turnpike_state::{StateDiff, StateRoots};

#[cfg(feature = "std")]
use crate::BlockTransaction;
use crate::{BlockTx, SkipReason, Transactions, receipts};

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

/// What a block came to since somebody asked last.
#[derive(Clone, Debug, Default)]
pub struct SliceOutcome {
    /// What the block holds, in order.
    pub executed: Vec<Arc<ExecutedTx>>,
    /// What it does not hold.
    pub skipped: Vec<Skipped>,
}

/// A block that has run, before its state root is known.
#[derive(Debug)]
pub struct Executed<T = BlockTx> {
    pub(crate) header: Header,
    /// What the block holds first, in order, with receipts: what was asked for while it ran.
    pub(crate) completed: Vec<Arc<ExecutedTx>>,
    /// What the block holds after what was asked for while it ran, in order.
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
    pub transactions: Vec<Arc<ExecutedTx>>,
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
    /// Whether another run of the same transactions came to the same, apart from what was taken of the two.
    pub(crate) fn is_same(&mut self, other: &mut Self) -> bool {
        self.diff().sort();
        other.diff().sort();
        self.overlays == other.overlays
            && self.skipped == other.skipped
            && self.transactions.is_same(&other.transactions)
    }
}

impl Executed {
    /// The sender of the block's last transaction, if that is a user's: deposits come first in a block.
    #[cfg(feature = "std")]
    pub fn last_user(&self) -> Option<Address> {
        let (tx, sender) = match self.transactions.last() {
            Some(last) => (&last.tx, last.sender),
            None => self.completed.last().map(|last| (&last.tx, last.sender))?,
        };
        matches!(tx, BlockTx::User(_)).then_some(sender)
    }

    /// The transactions with their receipts, in order.
    pub fn into_executed(self) -> Vec<Arc<ExecutedTx>> {
        let Self { header, mut completed, transactions, .. } = self;
        receipts::complete(&mut completed, transactions, header.base_fee_per_gas);
        completed
    }

    /// Completes all receipts, on the threads of a pool where that is worth it.
    #[cfg(feature = "std")]
    pub(crate) fn complete_receipts_on(&mut self, pool: Option<&rayon::ThreadPool>) {
        let rest = mem::take(&mut self.transactions);
        receipts::complete_on(pool, &mut self.completed, rest, self.header.base_fee_per_gas);
    }

    /// Gas that the block used.
    #[cfg(feature = "std")]
    pub(crate) fn gas_used(&self) -> u64 {
        let rest = self.transactions.iter().map(|tx| tx.gas_used);
        receipts::gas_used(&self.completed) + rest.sum::<u64>()
    }

    /// Completes the header with the roots of the state after the block.
    pub fn seal(mut self, roots: StateRoots) -> BlockOutcome {
        let rest = mem::take(&mut self.transactions);
        receipts::complete(&mut self.completed, rest, self.header.base_fee_per_gas);
        let lists = ListRoots::of(&self.completed);
        self.seal_with(roots, lists)
    }

    /// The same where all receipts are complete and the other roots are known.
    pub(crate) fn seal_with(mut self, roots: StateRoots, lists: ListRoots) -> BlockOutcome {
        let diff = mem::take(self.diff());
        let Self { mut header, completed: transactions, skipped, .. } = self;
        let blooms = transactions.iter().map(|tx| tx.receipt.envelope.logs_bloom());
        header.state_root = roots.state_root;
        header.transactions_root = lists.transactions;
        header.receipts_root = lists.receipts;
        header.logs_bloom = blooms.fold(Bloom::ZERO, |bloom, of_one| bloom | *of_one);
        header.gas_used = receipts::gas_used(&transactions);
        let output = output_of(&header, roots);
        BlockOutcome { header, output, transactions, skipped, diff }
    }
}

/// The roots of what a block holds.
pub(crate) struct ListRoots {
    pub(crate) transactions: B256,
    pub(crate) receipts: B256,
}

impl ListRoots {
    pub(crate) fn of(executed: &[Arc<ExecutedTx>]) -> Self {
        Self { transactions: transactions_root(executed), receipts: receipts_root(executed) }
    }
}

fn transactions_root(executed: &[Arc<ExecutedTx>]) -> B256 {
    let envelopes: Vec<_> = executed.iter().map(|tx| tx.envelope()).collect();
    calculate_transaction_root(&envelopes)
}

fn receipts_root(executed: &[Arc<ExecutedTx>]) -> B256 {
    let receipts: Vec<_> = executed.iter().map(|tx| &tx.receipt.envelope).collect();
    calculate_receipt_root(&receipts)
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
