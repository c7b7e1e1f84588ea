use alloc::{string::ToString as _, vec::Vec};

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Transaction as _};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_primitives::{Address, B256, Bytes, U256};
use op_alloy_consensus::OpTxType;
use revm::{
    ExecuteEvm as _, SystemCallEvm as _,
    context_interface::{
        JournalTr as _,
        result::{EVMError, ExecutionResult},
    },
    handler::Handler as _,
};
use turnpike_protocol::{
    BlockInput, ChainConfig, Header, L1Fee, Origin, Receipt, ReceiptEnvelope, SignedTx, TxEnvelope,
    mix_hash, next_base_fee,
    predeploys::{HISTORY_STORAGE, SEQUENCER_FEE_VAULT},
};
use turnpike_state::{StateCommit, StateView};

use crate::{
    BlockOutcome, Executed, ExecutedTx, ExecutionError, SkipReason, Skipped,
    env::{TurnpikeEvm, evm, tx_env},
    handler::{Rules, TransactionHandler},
    overlay::ViewError,
};

/// Version of a deposit's receipt encoding (the OP stack's Canyon).
const DEPOSIT_RECEIPT_VERSION: u64 = 1;

/// Runs a block on the state after `parent` and commits what it changes: the state transition.
///
/// Deterministic and total in `input`: a transaction that is invalid at its turn is skipped, a deposit always counts.
/// The only errors are the state view's, and then nothing was committed.
pub fn execute_block<S: StateCommit>(
    config: &ChainConfig,
    parent: &Header,
    parent_hash: B256,
    input: &BlockInput,
    state: &mut S,
) -> Result<BlockOutcome, ExecutionError<S::Error>> {
    let mut block = BlockExecutor::open(
        config,
        parent,
        parent_hash,
        input.timestamp,
        &input.origin,
        &mut *state,
    )?;
    block.run(input)?;
    let executed = block.finish();
    let roots = state.commit(&executed.diff).map_err(ExecutionError::State)?;
    Ok(executed.seal(roots))
}

/// A block under way: transactions run one after the other on the state so far.
#[allow(missing_debug_implementations)] // revm's EVM has none worth reading
pub struct BlockExecutor<S: StateView> {
    evm: TurnpikeEvm<S>,
    header: Header,
    l1_fee: L1Fee,
    offered: usize,
    transactions: Vec<ExecutedTx>,
    skipped: Vec<Skipped>,
}

impl<S: StateView> BlockExecutor<S> {
    /// Opens the block after `parent`: rules its header and records the parent's hash (EIP-2935).
    pub fn open(
        config: &ChainConfig,
        parent: &Header,
        parent_hash: B256,
        timestamp: u64,
        origin: &Origin,
        state: S,
    ) -> Result<Self, ExecutionError<S::Error>> {
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
        let mut block = Self {
            evm: evm(config, &header, state),
            header,
            l1_fee: L1Fee::new(config, origin),
            offered: 0,
            transactions: Vec::new(),
            skipped: Vec::new(),
        };
        block
            .evm
            .system_call_one(HISTORY_STORAGE, Bytes::copy_from_slice(parent_hash.as_slice()))
            .map_err(fatal)?;
        block.absorb();
        Ok(block)
    }

    /// Runs the input's deposits and transactions, in order.
    pub fn run(&mut self, input: &BlockInput) -> Result<(), ExecutionError<S::Error>> {
        for deposit in &input.deposits {
            self.deposit(deposit)?;
        }
        for transaction in &input.transactions {
            self.transaction(transaction)?;
        }
        Ok(())
    }

    /// Runs a deposit. It is never skipped.
    pub fn deposit(&mut self, tx: &TxEnvelope) -> Result<(), ExecutionError<S::Error>> {
        let deposit =
            tx.as_deposit().ok_or_else(|| ExecutionError::Evm("not a deposit".to_string()))?;
        let sender = deposit.from;
        let nonce = self.nonce_of(sender)?;
        let mut env = tx_env(tx, sender);
        env.nonce = nonce;
        env.chain_id = None;
        let result = self.transact(env, Rules::Deposit { mint: deposit.mint }).map_err(fatal)?;
        self.record(tx, sender, nonce, U256::ZERO, result);
        Ok(())
    }

    /// Runs a user's transaction; one that is invalid at its turn is noted as skipped and changes nothing.
    pub fn transaction(&mut self, tx: &SignedTx) -> Result<(), ExecutionError<S::Error>> {
        let index = self.offered;
        self.offered += 1;
        let skip = |reason| Skipped { index, hash: tx.hash(), reason };
        let sender = match tx.signer() {
            Ok(sender) => sender,
            Err(error) => {
                self.skipped.push(skip(error.into()));
                return Ok(());
            }
        };
        let (gas_limit, remaining) = (tx.envelope().gas_limit(), self.gas_remaining());
        if gas_limit > remaining {
            self.skipped.push(skip(SkipReason::BlockGas { gas_limit, remaining }));
            return Ok(());
        }
        let l1_fee = self.l1_fee.of(&tx.encoded());
        match self.transact(tx_env(tx.envelope(), sender), Rules::User { l1_fee }) {
            Ok(result) => self.record(tx.envelope(), sender, tx.nonce(), l1_fee, result),
            Err(EVMError::Transaction(reason)) => {
                self.skipped.push(skip(SkipReason::Invalid(reason)));
            }
            Err(error) => return Err(fatal(error)),
        }
        Ok(())
    }

    /// Gas that the block has left.
    pub fn gas_remaining(&self) -> u64 {
        self.header.gas_limit.saturating_sub(self.gas_used())
    }

    /// Ends the block. What it changed is in the result; the state view is as it was.
    pub fn finish(self) -> Executed {
        let Self { evm, header, transactions, skipped, .. } = self;
        let diff = evm.ctx.journaled_state.database.into_diff();
        Executed { header, transactions, skipped, diff }
    }

    fn gas_used(&self) -> u64 {
        self.transactions.last().map_or(0, |tx| tx.receipt.envelope.cumulative_gas_used())
    }

    fn nonce_of(&mut self, address: Address) -> Result<u64, ExecutionError<S::Error>> {
        let info = revm::Database::basic(&mut self.evm.ctx.journaled_state.database, address);
        match info {
            Ok(info) => Ok(info.map_or(0, |info| info.nonce)),
            Err(ViewError(error)) => Err(ExecutionError::State(error)),
        }
    }

    fn transact(
        &mut self,
        env: revm::context::TxEnv,
        rules: Rules,
    ) -> Result<ExecutionResult, EVMError<ViewError<S::Error>>> {
        self.evm.ctx.tx = env;
        let result = TransactionHandler::new(rules).run(&mut self.evm)?;
        self.absorb();
        Ok(result)
    }

    /// Moves what the last transaction changed from revm's journal into the overlay.
    fn absorb(&mut self) {
        let changes = self.evm.finalize();
        self.evm.ctx.journaled_state.db_mut().absorb(changes);
    }

    fn record(
        &mut self,
        envelope: &TxEnvelope,
        sender: Address,
        nonce: u64,
        l1_fee: U256,
        result: ExecutionResult,
    ) {
        let gas_used = result.tx_gas_used();
        let tx_type = envelope.tx_type();
        let is_deposit = tx_type == OpTxType::Deposit;
        let status = result.is_success();
        let logs = result.into_logs();
        let receipt = Receipt {
            envelope: ReceiptEnvelope::from_parts(
                status,
                self.gas_used() + gas_used,
                &logs,
                tx_type,
                is_deposit.then_some(nonce),
                is_deposit.then_some(DEPOSIT_RECEIPT_VERSION),
            ),
            gas_used,
            effective_gas_price: if is_deposit {
                0
            } else {
                envelope.effective_gas_price(self.header.base_fee_per_gas)
            },
            l1_fee,
        };
        self.transactions.push(ExecutedTx { envelope: envelope.clone(), sender, receipt });
    }
}

/// What is left once a transaction's own faults are ruled out.
fn fatal<E: core::error::Error + Send + Sync + 'static>(
    error: EVMError<ViewError<E>>,
) -> ExecutionError<E> {
    match error {
        EVMError::Database(ViewError(error)) => ExecutionError::State(error),
        other => ExecutionError::Evm(other.to_string()),
    }
}
