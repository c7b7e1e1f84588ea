//! The open block: executes slices and collects the parts to commit.

use std::{convert::Infallible, sync::Arc};

use alloy_primitives::{Address, B256};
use turnpike_executor::{
    BlockTx, EngineBlock, Executed, ExecutedTx, ExecutionError, NextBlock, SliceReport,
    block_transactions,
};
use turnpike_protocol::{BlockInput, L1Fee};
use turnpike_state::{Account, Bytecode, FlatState};
use turnpike_storage::{BlockOpening, BlockPart, JournalTx};

use crate::{
    PooledTx, Preconfirmation, Refusal,
    admission::StateRules,
    builder::{BlockPlan, BuildError, block_bytes_max, bytes_in_block},
    hashes::receipt_hashes,
    producer_event::VoidBlock,
    slice::Room,
};

/// A block that still takes transactions.
pub(super) struct OpenBlock<'a> {
    next: &'a NextBlock,
    block: EngineBlock<'a, &'a FlatState>,
    plan: BlockPlan,
    number: u64,
    base_fee: u64,
    transactions_left: u64,
    bytes_left: usize,
    /// Bytes of its transactions.
    bytes: usize,
    /// Position of the next transaction.
    position: u64,
    /// Whether only its deposits were executed.
    is_new: bool,
    /// Whether a committed part holds its opening.
    is_opening_committed: bool,
    /// What was executed since the last part.
    uncommitted: OpenBlockPart,
    /// Its user transactions.
    users: Vec<Arc<ExecutedTx>>,
}

/// A part of a block, with its preconfirmations.
#[derive(Debug)]
pub(super) struct OpenBlockPart {
    pub(super) part: BlockPart,
    pub(super) promises: Vec<Arc<Preconfirmation>>,
    /// When its transactions were received, in Unix milliseconds.
    pub(super) received_ms: Vec<u64>,
}

/// A complete block.
#[derive(Debug)]
pub(super) struct ExecutedBlock {
    pub(super) executed: Executed,
    pub(super) slices: Vec<SliceReport>,
    pub(super) plan: BlockPlan,
    /// Bytes of its transactions.
    pub(super) bytes: usize,
}

impl OpenBlockPart {
    const fn of(block: u64) -> Self {
        let part = BlockPart {
            block,
            opening: None,
            transactions: Vec::new(),
            outcomes: Vec::new(),
            is_last: false,
        };
        Self { part, promises: Vec::new(), received_ms: Vec::new() }
    }
}

impl<'a> OpenBlock<'a> {
    /// Opens the next block and executes its deposits.
    pub(super) fn new(next: &'a NextBlock, plan: BlockPlan) -> Result<Self, BuildError> {
        let (config, parent) = (next.config(), next.tip().parent);
        let number = parent.number + 1;
        let base_fee = next.tip().base_fee_at(config, plan.time_ms);
        let mut block = next.open(plan.time_ms, &plan.origin)?;
        let BlockPlan { time_ms, origin, deposits } = &plan;
        let input = BlockInput::new(config, parent, *origin, *time_ms, deposits, Vec::new())?;
        block.execute_slice(block_transactions(&input).collect())?;
        // A block holds only what was included.
        block.leave_out_skipped();
        Ok(Self {
            next,
            block,
            plan,
            number,
            base_fee,
            transactions_left: config.block_transactions_max,
            bytes_left: block_bytes_max(config),
            bytes: 0,
            position: 0,
            is_new: true,
            is_opening_committed: false,
            uncommitted: OpenBlockPart::of(number),
            users: Vec::new(),
        })
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) const fn base_fee(&self) -> u64 {
        self.base_fee
    }

    /// The rules that its transactions must meet.
    pub(super) fn rules(&self) -> StateRules {
        let l1_fee = Some(L1Fee::new(self.next.config(), &self.plan.origin));
        StateRules { base_fee: self.base_fee, l1_fee }
    }

    /// An account in the open block's state.
    pub(super) fn account(&mut self, address: &Address) -> Option<Account> {
        self.block.account(address)
    }

    /// Code by its hash, of an account in the open block's state.
    pub(super) fn code(&self, hash: &B256) -> Bytecode {
        self.block.code(hash)
    }

    /// Whether only its deposits were executed.
    pub(super) const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether it holds neither user transactions nor deposits.
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.plan.deposits.is_empty()
    }

    /// The room that is left in the block.
    pub(super) fn room(&self) -> Room {
        Room {
            transactions: self.transactions_left,
            bytes: self.bytes_left,
            gas: self.block.gas_limits(),
        }
    }

    /// Whether a block that is opened later has more room, because the backlog shrinks.
    pub(super) fn is_backlogged(&self) -> bool {
        self.block.is_backlogged()
    }

    /// Executes transactions. Returns those that were invalid at their turn, each with the reason.
    pub(super) fn run(
        &mut self,
        txs: Vec<PooledTx>,
    ) -> Result<Vec<(PooledTx, String)>, BuildError> {
        self.is_new = false;
        if !txs.is_empty() {
            let some = txs.iter().map(|tx| BlockTx::User(tx.tx.clone())).collect();
            self.block.execute_slice(some)?;
        }
        let outcome = self.block.take_executed();
        // In the same order as the executed ones.
        let mut received = txs.iter().map(|tx| (tx.tx.hash(), tx.received_ms));
        let receipt_hashes = receipt_hashes(&outcome.executed);
        for (tx, receipt_hash) in outcome.executed.into_iter().zip(receipt_hashes) {
            let mut received_ms = None;
            if let BlockTx::User(user) = &tx.tx {
                let hash = user.hash();
                received_ms = received.find(|(found, _)| *found == hash).map(|(_, ms)| ms);
                self.users.push(Arc::clone(&tx));
            }
            let promise =
                Preconfirmation::new(self.number, self.position, tx, receipt_hash, received_ms);
            self.uncommitted.part.outcomes.push(promise.outcome());
            self.uncommitted.promises.push(Arc::new(promise));
            self.position += 1;
        }
        let mut refused = Vec::new();
        let mut skipped = outcome.skipped.into_iter().peekable();
        for tx in txs {
            if let Some(skip) = skipped.next_if(|skip| skip.hash == tx.tx.hash()) {
                let reason = skip.reason.to_string();
                refused.push((tx, Refusal::Skipped { reason }.to_string()));
                continue;
            }
            let bytes = bytes_in_block(&tx.raw);
            self.bytes += bytes;
            self.bytes_left = self.bytes_left.saturating_sub(bytes);
            self.transactions_left = self.transactions_left.saturating_sub(1);
            self.uncommitted.received_ms.push(tx.received_ms);
            self.uncommitted.part.transactions.push(JournalTx { raw: tx.raw, sender: tx.sender });
        }
        Ok(refused)
    }

    /// Takes what was executed since the last part.
    pub(super) fn take_part(&mut self, is_last: bool) -> OpenBlockPart {
        let mut part = std::mem::replace(&mut self.uncommitted, OpenBlockPart::of(self.number));
        if !std::mem::replace(&mut self.is_opening_committed, true) {
            let BlockPlan { time_ms, origin, deposits } = &self.plan;
            let opening =
                BlockOpening { time_ms: *time_ms, origin: *origin, deposits: deposits.clone() };
            part.part.opening = Some(opening);
        }
        part.part.is_last = is_last;
        part
    }

    /// Drops the block. Returns what it held if a part of it was committed.
    pub(super) fn into_void(self) -> Option<VoidBlock> {
        let Self { plan, users, .. } = self;
        self.is_opening_committed.then_some(VoidBlock { plan, users })
    }

    pub(super) fn finish(self) -> Result<ExecutedBlock, ExecutionError<Infallible>> {
        let Self { block, plan, bytes, .. } = self;
        let (executed, slices) = block.finish()?;
        Ok(ExecutedBlock { executed, slices, plan, bytes })
    }
}
