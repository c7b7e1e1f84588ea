use alloc::{string::ToString as _, sync::Arc, vec::Vec};

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_primitives::{Address, B256, Bytes, U256};
use revm::{
    context::TxEnv,
    context_interface::{
        JournalTr as _,
        result::{EVMError, ExecutionResult, InvalidTransaction},
    },
    handler::{Handler as _, PrecompileProvider, SystemCallTx as _},
    primitives::hardfork::SpecId,
};
use turnpike_protocol::{
    BlockInput, ChainConfig, Header, L1Fee, Origin, mix_hash, next_base_fee,
    predeploys::{HISTORY_STORAGE, SEQUENCER_FEE_VAULT},
};
use turnpike_state::{StateCommit, StateRoots, StateView};

use crate::{
    BlockHashes, BlockOutcome, BlockTransaction, BlockTx, ChainSpec, Executed, ExecutionError,
    FeeRule, Included, SkipReason, Skipped,
    base::ViewError,
    env::{EvmContext, TurnpikeEvm, evm},
    foresight::{Call, Foresight},
    handler::{Rules, TransactionHandler},
    journal::Tables,
    keccak::Memo,
    transaction::rules,
    transfer::{PlainTransfer, TRANSFER_GAS},
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
        let number = parent.number + 1;
        let header = Header {
            parent_hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: SEQUENCER_FEE_VAULT,
            number,
            gas_limit: config.block_gas_limit,
            timestamp,
            mix_hash: mix_hash(origin, number),
            base_fee_per_gas: Some(next_base_fee(config, parent)),
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
    let executed = block.finish()?;
    let roots = state.commit(&executed.diff).map_err(ExecutionError::State)?;
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
/// what was learned of contracts, which changes no result. Taken from [`Executed`] and given to [`BlockExecutor::open_in`].
#[derive(Debug, Default)]
pub struct Workspace {
    tables: Tables,
    memo: Memo,
    foresight: Foresight,
}

/// A block under way: transactions run one after the other on the state so far.
#[allow(missing_debug_implementations)] // revm's EVM has none worth reading
pub struct BlockExecutor<S: StateView, T = BlockTx> {
    evm: TurnpikeEvm<S>,
    header: Header,
    foresight: Foresight,
    fees: FeeRule,
    takes_blobs: bool,
    l1_fee: Option<L1Fee>,
    offered: usize,
    gas_used: u64,
    transactions: Vec<Included<T>>,
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
        if spec.fork > SpecId::OSAKA {
            return Err(ExecutionError::Fork(spec.fork));
        }
        let BlockContext { header, hashes, l1_fee } = context;
        let mut evm = evm(spec, header, hashes.clone(), state);
        let precompiles = PrecompileProvider::<EvmContext<S>>::warm_addresses(&evm.precompiles);
        evm.ctx.journaled_state.warm_precompiles(precompiles);
        evm.ctx.journaled_state.reuse(workspace.tables);
        evm.ctx.chain.memo = workspace.memo;
        let mut block = Self {
            evm,
            header: header.clone(),
            foresight: workspace.foresight,
            fees: spec.fees,
            takes_blobs: spec.transactions.blobs,
            l1_fee: *l1_fee,
            offered: 0,
            gas_used: 0,
            transactions: Vec::new(),
            skipped: Vec::new(),
        };
        if spec.records_parent_hash {
            block.record_parent_hash().map_err(fatal)?;
        }
        Ok(block)
    }

    /// Runs transactions, one after the other, as [`Self::execute`] does. Looks a little ahead, so that the waits for
    /// the accounts they name overlap.
    pub fn execute_all(
        &mut self,
        transactions: impl IntoIterator<Item = T>,
    ) -> Result<(), ExecutionError<S::Error>> {
        let mut transactions = transactions.into_iter();
        let mut ahead = Vec::with_capacity(LOOK_AHEAD);
        let mut addresses = Vec::with_capacity(2 * LOOK_AHEAD);
        loop {
            ahead.extend(transactions.by_ref().take(LOOK_AHEAD));
            if ahead.is_empty() {
                return Ok(());
            }
            addresses.clear();
            addresses.extend(ahead.iter().filter_map(|tx| tx.sender().ok()));
            addresses.extend(ahead.iter().filter_map(|tx| Some(tx.call()?.0)));
            self.evm.ctx.journaled_state.prefetch(&addresses);
            self.look_ahead(&ahead);
            for tx in ahead.drain(..) {
                self.execute(tx)?;
            }
        }
    }

    /// Computes and fetches what these transactions are likely to look up.
    fn look_ahead(&mut self, ahead: &[T]) {
        let calls = ahead.iter().filter_map(|tx| {
            let (to, data) = tx.call()?;
            Some(Call { caller: tx.sender().ok()?, to, data })
        });
        let EvmContext::<S> { journaled_state: journal, chain: hashes, .. } = &mut self.evm.ctx;
        journal.prefetch_slots(self.foresight.look_ahead(calls, &mut hashes.memo));
    }

    /// Runs a transaction. One that is invalid at its turn is noted as skipped and changes nothing; a deposit is never
    /// skipped. After an error the block is worth nothing and has to be dropped.
    pub fn execute(&mut self, tx: T) -> Result<(), ExecutionError<S::Error>> {
        let index = self.offered;
        self.offered += 1;
        match self.try_execute(tx, index) {
            Ok(included) => self.transactions.push(included),
            Err(Stop::Skip(skipped)) => self.skipped.push(*skipped),
            Err(Stop::Fatal(error)) => return Err(error),
        }
        Ok(())
    }

    fn try_execute(&mut self, tx: T, index: usize) -> Result<Included<T>, Stop<S>> {
        let skip = |tx: &T, reason| {
            Stop::Skip(alloc::boxed::Box::new(Skipped { index, hash: tx.hash(), reason }))
        };
        let sender = tx.sender().map_err(|reason| skip(&tx, reason))?;
        let rules = rules(&tx, self.l1_fee.as_ref());
        if let Some(transfer) = tx.plain_transfer()
            && self.transfer(sender, &transfer, rules)?
        {
            return Ok(self.include(tx, sender, transfer.nonce, rules, Outcome::TRANSFER));
        }
        let mut env = tx.tx_env(sender);
        match rules {
            Rules::Deposit { .. } => {
                env.nonce = self.nonce_of(sender)?;
                env.chain_id = None;
            }
            Rules::User { .. } => {
                let (gas_limit, remaining) = (env.gas_limit, self.gas_remaining());
                if gas_limit > remaining {
                    return Err(skip(&tx, SkipReason::BlockGas { gas_limit, remaining }));
                }
                if env.tx_type == BLOB_TRANSACTION && !self.takes_blobs {
                    let reason = SkipReason::Invalid(InvalidTransaction::Eip4844NotSupported);
                    return Err(skip(&tx, reason));
                }
            }
        }
        let nonce = env.nonce;
        let call = tx.call().map(|(to, data)| Call { caller: sender, to, data });
        let call = call.filter(|call| self.foresight.is_curious(*call));
        self.evm.ctx.chain.watched = call.map(|_| Vec::new());
        let result = self.transact(env, rules);
        if let (Some(call), Some(seen)) = (call, self.evm.ctx.chain.watched.take())
            && result.as_ref().is_ok_and(|outcome| outcome.is_success)
        {
            self.foresight.learn(call, &seen);
        }
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(EVMError::Transaction(reason)) => {
                return Err(skip(&tx, SkipReason::Invalid(reason)));
            }
            Err(error) => return Err(Stop::Fatal(fatal(error))),
        };
        Ok(self.include(tx, sender, nonce, rules, outcome))
    }

    /// Runs a transaction without an interpreter if it is plainly a valid transfer: says whether it did.
    fn transfer(
        &mut self,
        sender: Address,
        transfer: &PlainTransfer,
        rules: Rules,
    ) -> Result<bool, Stop<S>> {
        let Rules::User { l1_fee } = rules else { return Ok(false) };
        if transfer.gas_limit > self.gas_remaining() {
            return Ok(false);
        }
        let EvmContext::<S> { block, cfg, journaled_state: journal, .. } = &mut self.evm.ctx;
        journal
            .transfer_plainly(cfg, block, sender, transfer, self.fees, &l1_fee)
            .map_err(|ViewError(error)| Stop::Fatal(ExecutionError::State(error)))
    }

    fn include(
        &mut self,
        tx: T,
        sender: Address,
        nonce: u64,
        rules: Rules,
        outcome: Outcome,
    ) -> Included<T> {
        let Outcome { is_success, gas_used, logs } = outcome;
        self.gas_used += gas_used;
        let cumulative_gas_used = self.gas_used;
        let l1_fee = match rules {
            Rules::User { l1_fee } => l1_fee,
            Rules::Deposit { .. } => U256::ZERO,
        };
        Included { tx, sender, nonce, is_success, gas_used, cumulative_gas_used, logs, l1_fee }
    }

    /// Gas that the block has left.
    pub const fn gas_remaining(&self) -> u64 {
        self.header.gas_limit.saturating_sub(self.gas_used)
    }

    /// Ends the block. What it changed is in the result; the state view is as it was.
    pub fn finish(self) -> Result<Executed<T>, ExecutionError<S::Error>> {
        let Self { evm, header, foresight, transactions, skipped, .. } = self;
        let EvmContext::<S> { journaled_state: journal, chain: hashes, .. } = evm.ctx;
        let result = journal.into_diff();
        let (diff, tables) = result.map_err(|ViewError(error)| ExecutionError::State(error))?;
        let workspace = Workspace { tables, memo: hashes.memo, foresight };
        Ok(Executed { header, transactions, skipped, diff, workspace })
    }

    fn nonce_of(&mut self, address: Address) -> Result<u64, Stop<S>> {
        let nonce = self.evm.ctx.journaled_state.nonce_of(address);
        nonce.map_err(|ViewError(error)| Stop::Fatal(ExecutionError::State(error)))
    }

    fn transact(
        &mut self,
        env: TxEnv,
        rules: Rules,
    ) -> Result<Outcome, EVMError<ViewError<S::Error>>> {
        self.evm.ctx.tx = env;
        TransactionHandler::new(rules, self.fees).run(&mut self.evm).map(Outcome::from)
    }

    fn record_parent_hash(&mut self) -> Result<(), EVMError<ViewError<S::Error>>> {
        let hash = Bytes::copy_from_slice(self.header.parent_hash.as_slice());
        self.evm.ctx.tx = TxEnv::new_system_tx(HISTORY_STORAGE, hash);
        TransactionHandler::new(Rules::Deposit { mint: 0 }, self.fees)
            .run_system_call(&mut self.evm)
            .map(|_| ())
    }
}

/// Transactions whose accounts are asked for together.
const LOOK_AHEAD: usize = 64;

/// Type of a blob transaction (EIP-4844).
const BLOB_TRANSACTION: u8 = 3;

/// What running a transaction came to.
struct Outcome {
    is_success: bool,
    gas_used: u64,
    logs: Vec<alloy_primitives::Log>,
}

impl Outcome {
    const TRANSFER: Self = Self { is_success: true, gas_used: TRANSFER_GAS, logs: Vec::new() };
}

impl From<ExecutionResult> for Outcome {
    fn from(result: ExecutionResult) -> Self {
        let (is_success, gas_used) = (result.is_success(), result.tx_gas_used());
        let logs = if is_success { result.into_logs() } else { Vec::new() };
        Self { is_success, gas_used, logs }
    }
}

/// Why a transaction did not become part of the block.
enum Stop<S: StateView> {
    Skip(alloc::boxed::Box<Skipped>),
    Fatal(ExecutionError<S::Error>),
}

/// What is left once a transaction's own faults are ruled out.
pub(crate) fn fatal<E: core::error::Error + Send + Sync + 'static>(
    error: EVMError<ViewError<E>>,
) -> ExecutionError<E> {
    match error {
        EVMError::Database(ViewError(error)) => ExecutionError::State(error),
        other => ExecutionError::Evm(other.to_string()),
    }
}
