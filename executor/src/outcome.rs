//! The outcome of executing a block, before and after its roots are known.

use alloc::{sync::Arc, vec::Vec};
use core::mem;

use alloy_consensus::proofs::{calculate_receipt_root, calculate_transaction_root};
use alloy_primitives::{B256, Bloom};
use turnpike_protocol::{Header, OutputRoot};
use turnpike_state::{StateDiff, StateRoots};

#[cfg(feature = "std")]
use crate::BlockTransaction;
use crate::{BlockTx, ExecutedTx, Skipped, Transactions, receipts};

/// An executed block whose state root is not known yet.
#[derive(Debug)]
pub struct Executed<T = BlockTx> {
    pub(crate) header: Header,
    /// The block's first transactions, in order and with receipts. They were read while the block
    /// ran.
    pub(crate) completed: Vec<Arc<ExecutedTx>>,
    /// The block's remaining transactions, in order.
    pub transactions: Transactions<T>,
    /// Skipped transactions.
    pub skipped: Vec<Skipped>,
    /// Changes, in parts. No two parts change the same account or slot.
    pub overlays: Vec<StateDiff>,
}

/// A sealed block and the results of its execution.
#[derive(Clone, Debug)]
pub struct BlockOutcome {
    /// Header.
    pub header: Header,
    /// Preimage of the output root after the block. Contains the block's hash.
    pub output: OutputRoot,
    /// Included transactions, in order.
    pub transactions: Vec<Arc<ExecutedTx>>,
    /// Skipped transactions.
    pub skipped: Vec<Skipped>,
    /// Changes.
    pub diff: StateDiff,
}

impl<T> Executed<T> {
    /// The block's changes, joined into one diff.
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
    /// Whether another execution of the same transactions had the same outcome. Ignores
    /// transactions that were already taken.
    pub(crate) fn is_same(&mut self, other: &mut Self) -> bool {
        self.diff().sort();
        other.diff().sort();
        self.overlays == other.overlays
            && self.skipped == other.skipped
            && self.transactions.is_same(&other.transactions)
    }
}

impl Executed {
    /// The sender of the block's last transaction, if a user sent it. Deposits come first in a
    /// block.
    #[cfg(feature = "std")]
    pub fn last_user(&self) -> Option<alloy_primitives::Address> {
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

    /// Completes all receipts, on the pool's threads if there are enough receipts.
    #[cfg(feature = "std")]
    pub(crate) fn complete_receipts_on(&mut self, pool: Option<&rayon::ThreadPool>) {
        let rest = mem::take(&mut self.transactions);
        receipts::complete_on(pool, &mut self.completed, rest, self.header.base_fee_per_gas);
    }

    /// Gas used.
    #[cfg(feature = "std")]
    pub(crate) fn gas_used(&self) -> u64 {
        let rest = self.transactions.iter().map(|tx| tx.gas_used);
        receipts::gas_used(&self.completed) + rest.sum::<u64>()
    }

    /// Completes the header with the state roots after the block.
    pub fn seal(mut self, roots: StateRoots) -> BlockOutcome {
        let rest = mem::take(&mut self.transactions);
        receipts::complete(&mut self.completed, rest, self.header.base_fee_per_gas);
        let lists = ListRoots::of(&self.completed);
        self.seal_with(roots, lists)
    }

    /// Seals the block after all receipts are complete and all roots are known.
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

/// Roots of a block's transactions and receipts.
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

/// Preimage of the output root after the block with this header.
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
