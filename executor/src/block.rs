//! The reference executor: executes one block sequentially, and commits it.

use alloc::{sync::Arc, vec::Vec};

use alloy_primitives::B256;
use turnpike_protocol::{
    BlockInput, ChainConfig, Header, TRANSACTION_GAS_MIN, extra_data, time_ms,
};
use turnpike_state::{StateCommit, StateRoots, StateView};

use crate::{
    BlockContext, BlockOutcome, BlockTransaction, BlockTx, ChainSpec, Executed, ExecutionError,
    Included, SkipReason, Skipped, Transactions,
    block_state::Tables,
    evm_context::EvmContext,
    keccak::KeccakMemo,
    profile::Profiles,
    room::BlockRoom,
    runner::{LOOK_AHEAD, Runner, TxError},
};
#[cfg(feature = "std")]
use crate::{BlockHashes, room::Used};

/// Executes a block on a state and commits its changes: the state transition.
///
/// The result is deterministic, and no transaction makes the block fail: a transaction that is
/// invalid at its turn is skipped, and a deposit is always included. Errors come from the state
/// view, an unsupported fork or a failing precompile. If it fails, nothing is committed.
pub fn execute_block<S: StateCommit, T: BlockTransaction>(
    spec: &ChainSpec,
    context: &BlockContext,
    transactions: impl IntoIterator<Item = T>,
    state: &mut S,
) -> Result<(Executed<T>, StateRoots), ExecutionError<S::Error>> {
    let mut block = BlockExecutor::open(spec, context, &mut *state)?;
    block.execute_all(transactions)?;
    let (mut executed, _) = block.finish()?;
    let roots = state.commit(executed.diff()).map_err(ExecutionError::State)?;
    Ok((executed, roots))
}

/// Executes the block after `parent` of a Turnpike chain: [`execute_block`] with the chain's rules.
pub fn execute_next_block<S: StateCommit>(
    config: &ChainConfig,
    parent: &Header,
    parent_hash: B256,
    input: &BlockInput,
    state: &mut S,
) -> Result<BlockOutcome, ExecutionError<S::Error>> {
    let (time_ms, origin) = (input.time_ms, &input.origin);
    let context = BlockContext::next(config, parent, parent_hash, time_ms, origin);
    let spec = ChainSpec::turnpike(config);
    let (executed, roots) = execute_block(&spec, &context, block_transactions(input), state)?;
    Ok(executed.seal(roots))
}

/// Deposits and transactions of a block, in execution order.
pub fn block_transactions(input: &BlockInput) -> impl Iterator<Item = BlockTx> {
    let deposits = input.deposits.iter().map(|deposit| BlockTx::Deposit(Arc::new(deposit.clone())));
    deposits.chain(input.transactions.iter().cloned().map(BlockTx::User))
}

/// Memory that each block leaves to the next. Hashes and profiles stay valid: a hash is always
/// right, and profiles change no result. [`BlockExecutor::finish`] returns the memory, and
/// [`BlockExecutor::open_in`] takes it.
#[derive(Debug, Default)]
pub struct Workspace {
    pub(crate) tables: Tables,
    pub(crate) memo: KeccakMemo,
    pub(crate) profiles: Profiles,
}

/// A block under sequential execution.
#[allow(missing_debug_implementations)] // revm's EVM has none worth reading
pub struct BlockExecutor<S: StateView, T = BlockTx> {
    pub(crate) runner: Runner<S>,
    header: Header,
    offered: usize,
    room: BlockRoom,
    transactions: Transactions<T>,
    skipped: Vec<Skipped>,
}

impl<S: StateView, T: BlockTransaction> BlockExecutor<S, T> {
    /// Opens a block. Records the parent's hash where the chain keeps it (EIP-2935).
    pub fn open(
        spec: &ChainSpec,
        context: &BlockContext,
        state: S,
    ) -> Result<Self, ExecutionError<S::Error>> {
        Self::open_in(Workspace::default(), spec, context, state)
    }

    /// Opens a block in the memory of an earlier one.
    pub fn open_in(
        workspace: Workspace,
        spec: &ChainSpec,
        context: &BlockContext,
        state: S,
    ) -> Result<Self, ExecutionError<S::Error>> {
        let mut runner = Runner::new(spec, context, state)?;
        runner.evm.ctx.journaled_state.reuse(workspace.tables);
        runner.evm.ctx.chain.memo = workspace.memo;
        runner.profiles = Some(workspace.profiles);
        if spec.records_parent_hash {
            match &context.hashes {
                #[cfg(feature = "std")]
                BlockHashes::Deferred(hash) => runner.record_deferred_hash(hash)?,
                _ => runner.record_parent_hash(context.header.parent_hash)?,
            }
        }
        Ok(Self {
            runner,
            header: context.header.clone(),
            offered: 0,
            room: BlockRoom::new(context.header.gas_limit, context.backlog),
            transactions: Transactions::default(),
            skipped: Vec::new(),
        })
    }

    /// Executes transactions in order, as [`Self::execute`] does. Prefetches the accounts of the
    /// next few transactions, so that their memory accesses overlap.
    pub fn execute_all(
        &mut self,
        transactions: impl IntoIterator<Item = T>,
    ) -> Result<(), ExecutionError<S::Error>> {
        let mut transactions = transactions.into_iter();
        let mut ahead = Vec::with_capacity(LOOK_AHEAD);
        loop {
            ahead.extend(transactions.by_ref().take(LOOK_AHEAD));
            if ahead.is_empty() {
                return Ok(());
            }
            self.runner.look_ahead(&ahead);
            for tx in ahead.drain(..) {
                self.execute(tx)?;
            }
        }
    }

    /// Executes a transaction. A transaction that is invalid at its turn is skipped and changes
    /// nothing but the gas that the block has left. One that comes when the block is full does not
    /// change that either. A deposit is never skipped. If it fails, the caller must drop the block.
    pub fn execute(&mut self, tx: T) -> Result<(), ExecutionError<S::Error>> {
        let index = self.offered;
        self.offered += 1;
        let is_deposit = tx.mint().is_some();
        let remaining = self.gas_remaining();
        if !is_deposit && self.room.is_full() {
            let reason = if remaining < TRANSACTION_GAS_MIN {
                SkipReason::BlockGas { gas_limit: tx.gas_limit(), remaining }
            } else {
                SkipReason::BlockWork
            };
            self.skipped.push(Skipped { index, hash: tx.hash(), reason });
            return Ok(());
        }
        match self.runner.run(&tx, remaining) {
            Ok(ran) => {
                self.room.used.count(ran.load(), is_deposit);
                self.transactions.push(Included::new(tx, ran));
            }
            Err(TxError::Skip(reason)) => {
                self.room.skip(1);
                self.skipped.push(Skipped { index, hash: tx.hash(), reason });
            }
            Err(TxError::Fatal(error)) => return Err(error),
        }
        Ok(())
    }

    /// Includes a transaction that was executed on the state so far.
    #[cfg(feature = "std")]
    pub(crate) fn include(&mut self, tx: T, ran: crate::runner::TxOutcome) {
        self.offered += 1;
        self.room.used.count(ran.load(), tx.mint().is_some());
        self.transactions.push(Included::new(tx, ran));
    }

    /// Number of transactions so far, skipped ones included.
    #[cfg(feature = "std")]
    pub(crate) const fn offered(&self) -> usize {
        self.offered
    }

    /// Appends transactions that ran in lanes, and what they used together. `order` contains the
    /// lane of each.
    #[cfg(feature = "std")]
    pub(crate) fn include_lanes(
        &mut self,
        lanes: Vec<Vec<Included<T>>>,
        order: Vec<crate::included::LaneNumber>,
        skipped: Vec<Skipped>,
        used: Used,
    ) {
        self.offered += order.len();
        self.room.used.add(used);
        self.room.skip(skipped.len() as u64);
        self.transactions.push_lanes(lanes, order);
        self.skipped.extend(skipped);
    }

    /// Takes the transactions since the last call.
    #[cfg(feature = "std")]
    pub(crate) fn take_transactions(&mut self) -> Transactions<T> {
        core::mem::take(&mut self.transactions)
    }

    /// Transactions skipped so far.
    #[cfg(feature = "std")]
    pub(crate) fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Gas that the block has left for users' transactions.
    pub fn gas_remaining(&self) -> u64 {
        self.room.gas()
    }

    /// Gas limits that transactions may have together so that each has its turn, whatever they use.
    #[cfg(feature = "std")]
    pub(crate) fn gas_limits(&self) -> u64 {
        self.room.gas_limits()
    }

    /// From now on, skipped transactions are not charged.
    #[cfg(feature = "std")]
    pub(crate) fn leave_out_skipped(&mut self) {
        self.room.leave_out_skipped();
    }

    /// Whether a later block has more room, because the backlog shrinks.
    #[cfg(feature = "std")]
    pub(crate) fn is_backlogged(&self) -> bool {
        self.room.is_backlogged()
    }

    /// Whether the block has room for a transaction.
    #[cfg(feature = "std")]
    pub(crate) fn takes(&self, tx: &T) -> bool {
        tx.mint().is_some() || (!self.room.is_full() && tx.gas_limit() <= self.room.gas())
    }

    /// [`Self::gas_limits`] of transactions after which the block is not full.
    #[cfg(feature = "std")]
    pub(crate) fn gas_before_full(&self) -> u64 {
        self.room.before_full()
    }

    /// Ends the block and returns its changes. The state view is unchanged. Waits for the parent's
    /// hash, if that is deferred.
    pub fn finish(self) -> Result<(Executed<T>, Workspace), ExecutionError<S::Error>> {
        let Self { runner, mut header, transactions, skipped, room, .. } = self;
        if let Some(backlog) = room.backlog() {
            header.extra_data = extra_data(backlog, time_ms(&header));
        }
        let Runner { evm, profiles, .. } = runner;
        #[cfg(feature = "std")]
        if let BlockHashes::Deferred(hash) = evm.ctx.journaled_state.hashes() {
            header.parent_hash = hash.wait().ok_or(ExecutionError::ParentAbandoned)?;
        }
        let EvmContext::<S> { journaled_state: block_state, chain: hashes, .. } = evm.ctx;
        let (diff, tables) = block_state.into_diff()?;
        let workspace =
            Workspace { tables, memo: hashes.memo, profiles: profiles.unwrap_or_default() };
        let overlays = alloc::vec![diff];
        let completed = Vec::new();
        Ok((Executed { header, completed, transactions, skipped, overlays }, workspace))
    }
}
