//! Executes single transactions: the part that the reference executor and lanes share.

use alloc::{string::ToString as _, vec::Vec};
use core::cell::RefCell;

#[cfg(feature = "std")]
use alloy_eips::eip2935::HISTORY_STORAGE_CODE;
use alloy_primitives::{Address, B256, Bytes, Log, U256};
use revm::{
    context::TxEnv,
    context_interface::{
        JournalTr as _,
        result::{EVMError, ExecutionResult, InvalidTransaction},
    },
    handler::{Handler as _, PrecompileProvider, SystemCallTx as _},
    primitives::hardfork::SpecId,
};
use turnpike_protocol::{L1Fee, Load, predeploys::HISTORY_STORAGE};
use turnpike_state::StateView;

#[cfg(feature = "std")]
use crate::DeferredHash;
use crate::{
    BlockContext, BlockTransaction, ChainSpec, ExecutionError, FeeRule, SkipReason,
    base::ViewError,
    evm::{TurnpikeEvm, evm},
    evm_context::EvmContext,
    handler::TransactionHandler,
    keccak::INPUT_BYTES,
    plain_transfer::{PlainTransfer, TRANSFER_GAS},
    profile::{Call, ObservedRun, Predictions, Profiles},
    rules::{TxRules, rules},
    work,
};

/// Executes transactions one after the other on a block state: an EVM with the chain's rules. Of
/// the block it knows only the context.
pub(crate) struct Runner<S: StateView> {
    pub(crate) evm: TurnpikeEvm<S>,
    /// Profiles of functions, if the runner learns from transactions.
    pub(crate) profiles: Option<Profiles>,
    predictions: Predictions,
    addresses: Vec<Address>,
    slots: Vec<(Address, U256)>,
    fees: FeeRule,
    takes_blobs: bool,
    l1_fee: Option<L1Fee>,
}

/// Outcome of a transaction.
#[derive(Clone, Debug)]
pub(crate) struct TxOutcome {
    pub(crate) sender: Address,
    pub(crate) nonce: u64,
    pub(crate) is_success: bool,
    pub(crate) gas_used: u64,
    pub(crate) work: u64,
    pub(crate) logs: Vec<Log>,
    pub(crate) l1_fee: U256,
}

impl TxOutcome {
    /// What the transaction used.
    pub(crate) const fn load(&self) -> Load {
        Load { gas: self.gas_used, work: self.work }
    }
}

/// Why a transaction was not executed.
pub(crate) enum TxError<S: StateView> {
    /// The transaction is invalid at its turn and changed nothing.
    Skip(SkipReason),
    /// Execution failed. The caller must drop the block.
    Fatal(ExecutionError<S::Error>),
}

/// Placeholder in a slot for a hash that is not known yet. It is not zero and not a hash.
#[cfg(feature = "std")]
const NO_HASH: B256 = B256::repeat_byte(0xff);

/// Transactions whose accounts are prefetched together.
pub(crate) const LOOK_AHEAD: usize = 64;

/// Type of a blob transaction (EIP-4844).
const BLOB_TRANSACTION: u8 = 3;

impl<S: StateView> Runner<S> {
    pub(crate) fn new(
        spec: &ChainSpec,
        context: &BlockContext,
        state: S,
    ) -> Result<Self, ExecutionError<S::Error>> {
        if spec.fork > SpecId::OSAKA {
            return Err(ExecutionError::Fork(spec.fork));
        }
        let BlockContext { header, hashes, l1_fee, .. } = context;
        let mut evm = evm(spec, header, hashes.clone(), state);
        let precompiles = PrecompileProvider::<EvmContext<S>>::warm_addresses(&evm.precompiles);
        evm.ctx.journaled_state.warm_precompiles(precompiles);
        Ok(Self {
            evm,
            profiles: None,
            predictions: Predictions::default(),
            addresses: Vec::new(),
            slots: Vec::new(),
            fees: spec.fees,
            takes_blobs: spec.transactions.blobs,
            l1_fee: *l1_fee,
        })
    }

    /// Records the parent's hash where the chain keeps it (EIP-2935).
    pub(crate) fn record_parent_hash(
        &mut self,
        hash: B256,
    ) -> Result<(), ExecutionError<S::Error>> {
        let hash = Bytes::copy_from_slice(hash.as_slice());
        self.evm.ctx.tx = TxEnv::new_system_tx(HISTORY_STORAGE, hash);
        TransactionHandler::new(TxRules::Deposit { mint: 0 }, self.fees)
            .run_system_call(&mut self.evm)
            .map(|_| ())
            .map_err(fatal)
    }

    /// [`Self::record_parent_hash`] with a hash that is read only when the slot is read. If the
    /// history contract's code is not the standard code, this waits for the hash.
    #[cfg(feature = "std")]
    pub(crate) fn record_deferred_hash(
        &mut self,
        hash: &DeferredHash,
    ) -> Result<(), ExecutionError<S::Error>> {
        let block_state = &mut self.evm.ctx.journaled_state;
        if !block_state.has_code_of(&HISTORY_STORAGE, &HISTORY_STORAGE_CODE)? {
            let hash = hash.wait().ok_or(ExecutionError::ParentAbandoned)?;
            return self.record_parent_hash(hash);
        }
        self.record_parent_hash(NO_HASH)?;
        self.evm.ctx.journaled_state.defer_parent_hash();
        Ok(())
    }

    /// Predicts and prefetches what the next transactions are likely to read, so that their memory
    /// accesses overlap.
    pub(crate) fn look_ahead<T: BlockTransaction>(&mut self, ahead: &[T]) {
        self.fetch_accounts(ahead);
        let Some(profiles) = &self.profiles else { return };
        let mut predictions = core::mem::take(&mut self.predictions);
        predictions.clear();
        let calls = (0..).zip(ahead).filter_map(|(number, tx)| {
            let call = Call::of(tx)?;
            (!call.data.is_empty()).then_some((number, call))
        });
        let block_state = RefCell::new(&mut self.evm.ctx.journaled_state);
        let has_code = |address: &Address| block_state.borrow_mut().has_code(address);
        profiles.predict(calls, has_code, &mut predictions);
        let slots = predictions.slots.iter().map(|(_, address, slot, _)| (*address, *slot));
        let hashes = predictions.hashes.iter().map(|(_, input, hash)| (input, *hash));
        self.fetch_slots(slots, hashes);
        self.predictions = predictions;
    }

    /// Prefetches slots and stores hashes in the memo.
    pub(crate) fn fetch_slots<'h>(
        &mut self,
        slots: impl Iterator<Item = (Address, U256)>,
        hashes: impl Iterator<Item = (&'h [u8; INPUT_BYTES], B256)>,
    ) {
        hashes.for_each(|(input, hash)| self.evm.ctx.chain.memo.set(input, hash));
        self.slots.clear();
        self.slots.extend(slots);
        self.evm.ctx.journaled_state.prefetch_slots(&self.slots);
    }

    /// Prefetches the accounts that the fields of transactions name.
    pub(crate) fn fetch_accounts<T: BlockTransaction>(&mut self, ahead: &[T]) {
        self.addresses.clear();
        self.addresses.extend(ahead.iter().filter_map(|tx| tx.sender().ok()));
        self.addresses.extend(ahead.iter().filter_map(|tx| Some(tx.call()?.0)));
        self.evm.ctx.journaled_state.prefetch(&self.addresses);
    }

    /// Executes a transaction whose gas limit may be at most `gas_remaining`. A deposit is never
    /// skipped.
    #[inline]
    pub(crate) fn run<T: BlockTransaction>(
        &mut self,
        tx: &T,
        gas_remaining: u64,
    ) -> Result<TxOutcome, TxError<S>> {
        let sender = tx.sender().map_err(TxError::Skip)?;
        let rules = rules(tx, self.l1_fee.as_ref());
        if let Some(transfer) = tx.plain_transfer()
            && transfer.gas_limit <= gas_remaining
            && let Some(creates_account) = self.transfer(sender, &transfer, rules)?
        {
            let load = Load { gas: TRANSFER_GAS, work: work::of_transfer(creates_account) };
            return Ok(ran(sender, transfer.nonce, rules, true, load, Vec::new()));
        }
        let base = self.evm.ctx.journaled_state.db_mut();
        let mut env = tx.tx_env(sender, &mut |input| base.ecrecover(input));
        match rules {
            TxRules::Deposit { .. } => {
                env.nonce = self.nonce_of(sender)?;
                env.chain_id = None;
            }
            TxRules::User { .. } => {
                let (gas_limit, remaining) = (env.gas_limit, gas_remaining);
                if gas_limit > remaining {
                    return Err(TxError::Skip(SkipReason::BlockGas { gas_limit, remaining }));
                }
                if env.tx_type == BLOB_TRANSACTION && !self.takes_blobs {
                    let reason = InvalidTransaction::Eip4844NotSupported;
                    return Err(TxError::Skip(SkipReason::Invalid(reason)));
                }
            }
        }
        let nonce = env.nonce;
        let call = tx.call().map(|(to, data)| Call { caller: sender, to, data });
        let call = call.filter(|call| self.should_learn(*call));
        if call.is_some() {
            self.watch();
        }
        let result = self.transact(env, rules);
        if let Some(call) = call {
            self.learn(call, &result);
        }
        match result {
            Ok(result) => {
                let is_success = result.is_success();
                let work = self.evm.ctx.chain.meter.total();
                let load = Load { gas: result.tx_gas_used(), work };
                let logs = if is_success { result.into_logs() } else { Vec::new() };
                Ok(ran(sender, nonce, rules, is_success, load, logs))
            }
            Err(EVMError::Transaction(reason)) => Err(TxError::Skip(SkipReason::Invalid(reason))),
            Err(error) => Err(TxError::Fatal(fatal(error))),
        }
    }

    /// Whether profiles can learn from a call.
    fn should_learn(&mut self, call: Call<'_>) -> bool {
        let Self { evm, profiles: Some(profiles), .. } = self else { return false };
        let block_state = RefCell::new(&mut evm.ctx.journaled_state);
        !call.data.is_empty()
            && profiles.should_learn(call, |address| block_state.borrow_mut().has_code(address))
    }

    /// Observes the next transaction.
    pub(crate) fn watch(&mut self) {
        self.evm.ctx.chain.watched = Some(Vec::new());
        self.evm.ctx.journaled_state.watch();
    }

    /// Learns from an observed call, if it succeeded.
    fn learn(
        &mut self,
        call: Call<'_>,
        result: &Result<ExecutionResult, EVMError<ViewError<S::Error>>>,
    ) {
        let Self { evm, profiles, .. } = self;
        let seen = evm.ctx.chain.watched.take().unwrap_or_default();
        let touches = evm.ctx.journaled_state.take_watched();
        let (Some(profiles), Ok(result)) = (profiles, result) else { return };
        if result.is_success() {
            let observed =
                ObservedRun { touches: &touches, seen: &seen, gas_used: result.tx_gas_used() };
            let block_state = RefCell::new(&mut evm.ctx.journaled_state);
            profiles.learn(call, &observed, |address| block_state.borrow_mut().has_code(address));
        }
    }

    /// Executes a plain transfer without the interpreter. Returns whether it creates an account;
    /// `None` if it is not certainly valid, and was not executed.
    fn transfer(
        &mut self,
        sender: Address,
        transfer: &PlainTransfer,
        rules: TxRules,
    ) -> Result<Option<bool>, TxError<S>> {
        let TxRules::User { l1_fee } = rules else { return Ok(None) };
        let EvmContext::<S> { block, cfg, journaled_state: block_state, .. } = &mut self.evm.ctx;
        block_state
            .transfer_plainly(cfg, block, sender, transfer, self.fees, &l1_fee)
            .map_err(|error| TxError::Fatal(error.into()))
    }

    fn nonce_of(&mut self, address: Address) -> Result<u64, TxError<S>> {
        let nonce = self.evm.ctx.journaled_state.nonce_of(address);
        nonce.map_err(|error| TxError::Fatal(error.into()))
    }

    fn transact(
        &mut self,
        env: TxEnv,
        rules: TxRules,
    ) -> Result<ExecutionResult, EVMError<ViewError<S::Error>>> {
        self.evm.ctx.tx = env;
        TransactionHandler::new(rules, self.fees).run(&mut self.evm)
    }
}

#[inline]
fn ran(
    sender: Address,
    nonce: u64,
    rules: TxRules,
    is_success: bool,
    load: Load,
    logs: Vec<Log>,
) -> TxOutcome {
    let l1_fee = match rules {
        TxRules::User { l1_fee } => l1_fee,
        TxRules::Deposit { .. } => U256::ZERO,
    };
    let Load { gas: gas_used, work } = load;
    TxOutcome { sender, nonce, is_success, gas_used, work, logs, l1_fee }
}

/// Maps an error that the transaction did not cause.
pub(crate) fn fatal<E: core::error::Error + Send + Sync + 'static>(
    error: EVMError<ViewError<E>>,
) -> ExecutionError<E> {
    match error {
        EVMError::Database(ViewError(error)) => ExecutionError::State(error),
        other => ExecutionError::Evm(other.to_string()),
    }
}
