use alloc::{sync::Arc, vec::Vec};

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_primitives::B256;
use turnpike_protocol::{
    BlockInput, ChainConfig, Header, L1Fee, Origin, mix_hash, next_base_fee,
    predeploys::SEQUENCER_FEE_VAULT,
};
use turnpike_state::{StateCommit, StateRoots, StateView};

use crate::{
    BlockHashes, BlockOutcome, BlockTransaction, BlockTx, ChainSpec, Executed, ExecutionError,
    Included, Skipped, Transactions,
    block_state::Tables,
    env::EvmContext,
    keccak::KeccakMemo,
    profile::Profiles,
    runner::{LOOK_AHEAD, Runner, TxError},
};

/// What is known of a block before its transactions run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockContext {
    /// The header, as far as it is ruled beforehand.
    pub header: Header,
    /// Where BLOCKHASH looks.
    pub hashes: BlockHashes,
    /// What L1 data costs; `None` where transactions do not pay for it.
    pub l1_fee: Option<L1Fee>,
}

impl BlockContext {
    /// The block after `parent` of a Turnpike chain.
    pub fn next(
        config: &ChainConfig,
        parent: &Header,
        parent_hash: B256,
        timestamp: u64,
        origin: &Origin,
    ) -> Self {
        let base_fee = next_base_fee(config, parent);
        Self::with_base_fee(config, parent.number + 1, parent_hash, base_fee, timestamp, origin)
    }

    /// The block with this number and base fee, after the one with this hash.
    pub(crate) fn with_base_fee(
        config: &ChainConfig,
        number: u64,
        parent_hash: B256,
        base_fee: u64,
        timestamp: u64,
        origin: &Origin,
    ) -> Self {
        let header = Header {
            parent_hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: SEQUENCER_FEE_VAULT,
            number,
            gas_limit: config.block_gas_limit,
            timestamp,
            mix_hash: mix_hash(origin, number),
            base_fee_per_gas: Some(base_fee),
            withdrawals_root: Some(EMPTY_ROOT_HASH),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(EMPTY_REQUESTS_HASH),
            ..Header::default()
        };
        let hashes = BlockHashes::History { parent: parent_hash };
        Self { header, hashes, l1_fee: Some(L1Fee::new(config, origin)) }
    }
}

/// Runs a block on a state and commits what it changes: the state transition.
///
/// Deterministic and total in the transactions: one that is invalid at its turn is skipped, a deposit always counts.
/// Errors are the state view's, a fork that is not supported, or a precompile that breaks: then nothing was committed.
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

/// Runs the block of a Turnpike chain that follows `parent`: [`execute_block`] with all that the chain rules.
pub fn execute_next_block<S: StateCommit>(
    config: &ChainConfig,
    parent: &Header,
    parent_hash: B256,
    input: &BlockInput,
    state: &mut S,
) -> Result<BlockOutcome, ExecutionError<S::Error>> {
    let (timestamp, origin) = (input.timestamp, &input.origin);
    let context = BlockContext::next(config, parent, parent_hash, timestamp, origin);
    let spec = ChainSpec::turnpike(config);
    let (executed, roots) = execute_block(&spec, &context, block_transactions(input), state)?;
    Ok(executed.seal(roots))
}

/// Deposits and transactions of a block, in the order in which they run.
pub fn block_transactions(input: &BlockInput) -> impl Iterator<Item = BlockTx> {
    let deposits = input.deposits.iter().map(|deposit| BlockTx::Deposit(Arc::new(deposit.clone())));
    deposits.chain(input.transactions.iter().cloned().map(BlockTx::User))
}

/// Memory that one block after the other is run in. What outlives its block are hashes, which are right in any, and
/// what was learned of contracts, which changes no result. Given by [`BlockExecutor::finish`] and taken by
/// [`BlockExecutor::open_in`].
#[derive(Debug, Default)]
pub struct Workspace {
    pub(crate) tables: Tables,
    pub(crate) memo: KeccakMemo,
    pub(crate) profiles: Profiles,
}

/// A block under way: transactions run one after the other on the state so far.
#[allow(missing_debug_implementations)] // revm's EVM has none worth reading
pub struct BlockExecutor<S: StateView, T = BlockTx> {
    pub(crate) runner: Runner<S>,
    header: Header,
    offered: usize,
    gas_used: u64,
    transactions: Transactions<T>,
    skipped: Vec<Skipped>,
}

impl<S: StateView, T: BlockTransaction> BlockExecutor<S, T> {
    /// Opens a block, and records its parent's hash where the chain does that (EIP-2935).
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
            gas_used: 0,
            transactions: Transactions::default(),
            skipped: Vec::new(),
        })
    }

    /// Runs transactions, one after the other, as [`Self::execute`] does. Looks a little ahead, so that the waits for
    /// the accounts they name overlap.
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

    /// Runs a transaction. One that is invalid at its turn is noted as skipped and changes nothing; a deposit is never
    /// skipped. After an error the block is worth nothing and has to be dropped.
    pub fn execute(&mut self, tx: T) -> Result<(), ExecutionError<S::Error>> {
        let index = self.offered;
        self.offered += 1;
        match self.runner.run(&tx, self.gas_remaining()) {
            Ok(ran) => {
                self.gas_used += ran.gas_used;
                self.transactions.push(Included::new(tx, ran));
            }
            Err(TxError::Skip(reason)) => {
                self.skipped.push(Skipped { index, hash: tx.hash(), reason });
            }
            Err(TxError::Fatal(error)) => return Err(error),
        }
        Ok(())
    }

    /// Includes a transaction that has run on the state so far.
    #[cfg(feature = "std")]
    pub(crate) fn include(&mut self, tx: T, ran: crate::runner::TxOutcome) {
        self.offered += 1;
        self.gas_used += ran.gas_used;
        self.transactions.push(Included::new(tx, ran));
    }

    /// How many transactions the block was offered so far.
    #[cfg(feature = "std")]
    pub(crate) const fn offered(&self) -> usize {
        self.offered
    }

    /// Takes over transactions that ran in lanes, after all that ran here, and used so much gas; `order` names the lane
    /// of each.
    #[cfg(feature = "std")]
    pub(crate) fn include_lanes(
        &mut self,
        lanes: Vec<Vec<Included<T>>>,
        order: Vec<crate::included::LaneNumber>,
        skipped: Vec<Skipped>,
        gas_used: u64,
    ) {
        self.offered += order.len();
        self.gas_used += gas_used;
        self.transactions.push_lanes(lanes, order);
        self.skipped.extend(skipped);
    }

    /// Takes what the block holds and nobody has taken.
    #[cfg(feature = "std")]
    pub(crate) fn take_transactions(&mut self) -> Transactions<T> {
        core::mem::take(&mut self.transactions)
    }

    /// What the block does not hold so far.
    #[cfg(feature = "std")]
    pub(crate) fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Gas that the block has left.
    pub const fn gas_remaining(&self) -> u64 {
        self.header.gas_limit.saturating_sub(self.gas_used)
    }

    /// Ends the block. What it changed is in the result; the state view is as it was. Waits for the parent's hash, if that
    /// is deferred.
    pub fn finish(self) -> Result<(Executed<T>, Workspace), ExecutionError<S::Error>> {
        #[cfg_attr(not(feature = "std"), allow(unused_mut, reason = "the parent is known"))]
        let Self { runner, mut header, transactions, skipped, .. } = self;
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
