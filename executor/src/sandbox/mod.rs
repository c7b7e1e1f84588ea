//! Executes transactions and calls by the chain's rules without changing the chain, optionally
//! under an inspector.
//!
//! ```text
//! view ─► reader, keeps its reads ─► overrides, earlier changes ─► EVM, inspector ─► result, changes
//! ```
//!
//! Blocks run on the executor's block state, which inspectors cannot read. A sandbox uses revm's
//! own `Journal`. Gas, outcome, logs and state are the same.
//!
//! # Limits
//!
//! A sandbox takes no part in building blocks. It limits neither time nor memory; inspectors must.

mod handler;
mod precompiles;
mod reader;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256, map::AddressSet};
use revm::{
    Context, Database, DatabaseCommit as _, DatabaseRef as _, Inspector,
    context::{BlockEnv, CfgEnv, Evm, Journal, TxEnv},
    context_interface::{
        JournalTr as _,
        result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction, ResultAndState},
    },
    database::{AccountState, Cache, CacheDB},
    handler::{EthFrame, Handler as _, SystemCallTx as _, instructions::EthInstructions},
    inspector::InspectorHandler as _,
    interpreter::interpreter::EthInterpreter,
    primitives::KECCAK_EMPTY,
    state::{AccountInfo, Bytecode, EvmState},
};
use turnpike_protocol::{ChainConfig, Header, L1Fee, ecrecover, predeploys::HISTORY_STORAGE};
use turnpike_state::{Account, AccountDiff, HistoricalView, StateDiff};

use self::{handler::SandboxHandler, precompiles::SandboxPrecompiles};
use crate::{
    BlockContext, BlockTransaction, CallRequest, ChainSpec, SkipReason,
    env::{blobs_max, block_env},
    metered,
    rules::{TxRules, rules},
    work::{Metered, WorkMeter},
};

pub use self::reader::{ReadError, StateReader};

/// A state with the changes of a sandbox.
pub type SandboxState<'s> = CacheDB<StateReader<'s>>;

/// The context that an inspector of a sandbox sees.
pub type SandboxContext<DB> = Context<BlockEnv, TxEnv, CfgEnv, DB, Journal<DB>, WorkMeter>;

impl Metered for WorkMeter {
    fn meter(&mut self) -> &mut Self {
        self
    }

    fn keccak256(&mut self, _: Address, input: &[u8]) -> B256 {
        keccak256(input)
    }
}

/// A state that a sandbox's EVM reads.
pub trait SandboxDatabase: Database<Error = ReadError> {}

impl<DB: Database<Error = ReadError>> SandboxDatabase for DB {}

type SandboxEvm<DB, I> = Evm<
    SandboxContext<DB>,
    I,
    EthInstructions<EthInterpreter, SandboxContext<DB>>,
    SandboxPrecompiles,
    EthFrame<EthInterpreter>,
>;

/// Outcome of a run: the result, and changes that are not committed.
pub type SandboxOutcome = ResultAndState<HaltReason>;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The transaction is invalid at its turn.
    #[error("{0}")]
    Invalid(InvalidTransaction),
    /// The state could not be read.
    #[error(transparent)]
    Read(ReadError),
    /// An inspector stopped the run, or revm failed.
    #[error("{0}")]
    Stopped(String),
}

/// The checks before a transaction runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// Every check that a block makes before it includes the transaction, except that the sender
    /// has no code.
    Transaction,
    /// The rules for calls: nonce and gas limit are not checked, and the base fee only if the call
    /// sets a price.
    Call,
}

/// A transaction that a sandbox can run.
#[derive(Clone, Debug)]
pub struct SandboxTx {
    env: TxEnv,
    rules: TxRules,
    checks: Checks,
}

impl SandboxTx {
    /// The transaction as revm takes it.
    pub const fn env(&self) -> &TxEnv {
        &self.env
    }

    /// A call.
    pub fn call(config: &ChainConfig, request: &CallRequest, checks: Checks) -> Self {
        let rules = TxRules::User { l1_fee: U256::ZERO };
        Self { env: request.tx_env(config), rules, checks }
    }
}

/// Executes transactions without changing the chain. See the module's documentation.
#[derive(Debug)]
pub struct Sandbox<'s> {
    spec: ChainSpec,
    block: BlockEnv,
    l1_fee: Option<L1Fee>,
    state: SandboxState<'s>,
    precompiles: SandboxPrecompiles,
    work: u64,
}

impl<'s> Sandbox<'s> {
    /// A sandbox on a state, with the environment of the block with this header.
    pub fn new(config: &ChainConfig, header: &Header, view: HistoricalView<'s>) -> Self {
        let spec = ChainSpec::turnpike(config);
        Self {
            block: block_env(spec.fork, header),
            l1_fee: None,
            state: CacheDB::new(StateReader::new(header, view)),
            precompiles: SandboxPrecompiles::new(&spec),
            spec,
            work: 0,
        }
    }

    /// A sandbox for the transactions of a block, in order. `view` is the state before the block.
    pub fn of_block(
        config: &ChainConfig,
        context: &BlockContext,
        view: HistoricalView<'s>,
    ) -> Result<Self, SandboxError> {
        let mut sandbox = Self::new(config, &context.header, view);
        sandbox.l1_fee = context.l1_fee;
        sandbox.record_parent_hash(context.header.parent_hash)?;
        Ok(sandbox)
    }

    /// Attaches `view`, which must be the same state as before.
    pub fn attach<'t>(self, view: HistoricalView<'t>) -> Sandbox<'t> {
        self.with_view(Some(view))
    }

    /// Detaches the state. Everything that was read can be read again, including the code of every
    /// account that was read, so earlier runs can be repeated.
    pub fn detach(self) -> Result<Sandbox<'static>, SandboxError> {
        self.state.db.read_codes().map_err(SandboxError::Read)?;
        Ok(self.with_view(None))
    }

    /// Undoes all changes.
    pub fn rewind(&mut self) {
        self.state.cache = Cache::default();
    }

    fn with_view<'t>(self, view: Option<HistoricalView<'t>>) -> Sandbox<'t> {
        let Self { spec, block, l1_fee, state: CacheDB { cache, db }, precompiles, work } = self;
        let state = CacheDB { cache, db: db.with_view(view) };
        Sandbox { spec, block, l1_fee, state, precompiles, work }
    }

    /// Records the parent's hash, as a block does first (EIP-2935).
    pub fn record_parent_hash(&mut self, hash: B256) -> Result<(), SandboxError> {
        let env = TxEnv::new_system_tx(HISTORY_STORAGE, Bytes::copy_from_slice(hash.as_slice()));
        let rules = TxRules::Deposit { mint: 0 };
        let (mut evm, _) = self.evm(&SandboxTx { env, rules, checks: Checks::Transaction }, ());
        let mut handler = SandboxHandler::new(rules);
        handler.run_system_call(&mut evm).map_err(stopped)?;
        let changes = evm.ctx.journaled_state.finalize();
        self.commit(changes);
        Ok(())
    }

    /// The block's environment.
    pub const fn block(&self) -> &BlockEnv {
        &self.block
    }

    /// The block's environment, to override it.
    pub const fn block_mut(&mut self) -> &mut BlockEnv {
        &mut self.block
    }

    /// Switches to a block with this header.
    pub fn set_block(&mut self, header: &Header) {
        self.block = block_env(self.spec.fork, header);
        if let Some(parent) = header.number.checked_sub(1) {
            self.set_block_hash(parent, header.parent_hash);
        }
    }

    /// Sets the hash that BLOCKHASH returns for a block.
    pub fn set_block_hash(&mut self, number: u64, hash: B256) {
        self.state.cache.block_hashes.insert(U256::from(number), hash);
    }

    /// The state, with the changes so far.
    pub const fn state(&self) -> &SandboxState<'s> {
        &self.state
    }

    /// Addresses of the precompiles.
    pub const fn precompiles(&self) -> &AddressSet {
        self.precompiles.addresses()
    }

    /// A transaction of a block, with the block's rules.
    pub fn transaction<T: BlockTransaction>(&self, tx: &T) -> Result<SandboxTx, SandboxError> {
        let sender = tx.sender().map_err(|error| match error {
            SkipReason::Invalid(error) => SandboxError::Invalid(error),
            other => SandboxError::Stopped(other.to_string()),
        })?;
        let rules = rules(tx, self.l1_fee.as_ref());
        let mut env = tx.tx_env(sender, &mut ecrecover);
        if let TxRules::Deposit { .. } = rules {
            env.nonce = self.account(sender)?.nonce;
            env.chain_id = None;
        }
        Ok(SandboxTx { env, rules, checks: Checks::Transaction })
    }

    /// Executes a transaction without changing the state.
    pub fn run(&mut self, tx: &SandboxTx) -> Result<SandboxOutcome, SandboxError> {
        let (mut evm, work) = self.evm(tx, ());
        let result = SandboxHandler::new(tx.rules).run(&mut evm).map_err(stopped)?;
        *work = evm.ctx.chain.total();
        Ok(SandboxOutcome::new(result, evm.ctx.journaled_state.finalize()))
    }

    /// [`Self::run`] under an inspector.
    pub fn inspect<'a, I>(
        &'a mut self,
        tx: &SandboxTx,
        inspector: I,
    ) -> Result<SandboxOutcome, SandboxError>
    where
        I: Inspector<SandboxContext<&'a mut SandboxState<'s>>>,
    {
        let (mut evm, work) = self.evm(tx, inspector);
        let result = SandboxHandler::new(tx.rules).inspect_run(&mut evm).map_err(stopped)?;
        *work = evm.ctx.chain.total();
        Ok(SandboxOutcome::new(result, evm.ctx.journaled_state.finalize()))
    }

    /// Work of the last run, in nanoseconds.
    pub const fn work(&self) -> u64 {
        self.work
    }

    /// Executes a transaction and commits its changes.
    pub fn execute(&mut self, tx: &SandboxTx) -> Result<ExecutionResult, SandboxError> {
        let SandboxOutcome { result, state } = self.run(tx)?;
        self.commit(state);
        Ok(result)
    }

    /// Commits the changes of a run.
    pub fn commit(&mut self, changes: EvmState) {
        self.state.commit(changes);
    }

    /// An account after all committed changes.
    pub fn account(&self, address: Address) -> Result<AccountInfo, SandboxError> {
        let account = self.state.basic_ref(address).map_err(SandboxError::Read)?;
        Ok(account.unwrap_or_default())
    }

    /// Changes an account.
    pub fn set_account(
        &mut self,
        address: Address,
        change: impl FnOnce(&mut AccountInfo),
    ) -> Result<(), SandboxError> {
        let mut info = self.account(address)?;
        change(&mut info);
        self.state.load_account(address).map_err(SandboxError::Read)?;
        self.state.insert_account_info(address, info);
        let account = self.state.load_account(address).map_err(SandboxError::Read)?;
        if account.account_state == AccountState::None {
            account.account_state = AccountState::Touched;
        }
        Ok(())
    }

    /// Replaces an account's code. Returns false if the code is invalid.
    pub fn set_code(&mut self, address: Address, code: Bytes) -> Result<bool, SandboxError> {
        let Ok(code) = Bytecode::new_raw_checked(code) else { return Ok(false) };
        self.set_account(address, |info| {
            info.code_hash = if code.is_empty() { KECCAK_EMPTY } else { code.hash_slow() };
            info.code = Some(code);
        })?;
        Ok(true)
    }

    /// Sets slots of an account's storage.
    pub fn set_slots(
        &mut self,
        address: Address,
        slots: impl IntoIterator<Item = (U256, U256)>,
    ) -> Result<(), SandboxError> {
        self.set_account(address, |_| {})?;
        let account = self.state.load_account(address).map_err(SandboxError::Read)?;
        account.storage.extend(slots);
        Ok(())
    }

    /// Clears an account's storage.
    pub fn clear_storage(&mut self, address: Address) -> Result<(), SandboxError> {
        self.set_account(address, |_| {})?;
        let account = self.state.load_account(address).map_err(SandboxError::Read)?;
        account.storage.clear();
        account.account_state = AccountState::StorageCleared;
        Ok(())
    }

    /// Removes the precompile at an address, and moves it to another if one is given.
    pub fn remove_precompile(&mut self, from: Address, to: Option<Address>) {
        self.precompiles.remove(from, to);
    }

    /// Moves all precompiles back.
    pub fn restore_precompiles(&mut self) {
        self.precompiles = SandboxPrecompiles::new(&self.spec);
    }

    /// All changes, overrides included.
    pub fn diff(&self) -> StateDiff {
        let mut diff = StateDiff::default();
        for (address, account) in &self.state.cache.accounts {
            let (exists, storage_cleared) = match account.account_state {
                AccountState::None => continue,
                AccountState::NotExisting => (false, true),
                AccountState::Touched => (!account.info.is_empty(), false),
                AccountState::StorageCleared => (!account.info.is_empty(), true),
            };
            if !exists && matches!(self.state.db.basic_ref(*address), Ok(None)) {
                continue;
            }
            let AccountInfo { nonce, balance, code_hash, .. } = account.info;
            diff.accounts.push(AccountDiff {
                address: *address,
                account: exists.then_some(Account { nonce, balance, code_hash }),
                storage_cleared,
                storage: account.storage.iter().map(|(slot, value)| (*slot, *value)).collect(),
            });
        }
        diff
    }

    /// An EVM for one run, and where to put its work.
    fn evm<'a, I>(
        &'a mut self,
        tx: &SandboxTx,
        inspector: I,
    ) -> (SandboxEvm<&'a mut SandboxState<'s>, I>, &'a mut u64) {
        let Self { spec, block, state, precompiles, work, .. } = self;
        let mut context: SandboxContext<&'a mut SandboxState<'s>> = Context::new(state, spec.fork);
        context.chain = WorkMeter::new(spec.meters_work);
        context.cfg = cfg_env(spec, tx);
        context.block = block.clone();
        context.tx = tx.env.clone();
        let mut instructions = EthInstructions::new_mainnet_with_spec(spec.fork);
        if spec.meters_work {
            metered::install(&mut instructions);
        }
        let precompiles = precompiles.clone();
        (Evm::new_with_inspector(context, inspector, instructions, precompiles), work)
    }
}

fn cfg_env(spec: &ChainSpec, tx: &SandboxTx) -> CfgEnv {
    let mut cfg = CfgEnv::new_with_spec(spec.fork).with_chain_id(spec.chain_id);
    cfg.tx_gas_limit_cap = spec.transaction_gas_limit_max;
    // A call has no signature, and a transaction of a block was already checked.
    cfg.disable_eip3607 = true;
    cfg.max_blobs_per_tx = Some(blobs_max(spec.fork));
    if tx.checks == Checks::Call {
        cfg.disable_nonce_check = true;
        cfg.disable_base_fee = tx.env.gas_price == 0;
        cfg.tx_gas_limit_cap = Some(u64::MAX);
    }
    cfg
}

fn stopped(error: EVMError<ReadError>) -> SandboxError {
    match error {
        EVMError::Transaction(error) => SandboxError::Invalid(error),
        EVMError::Database(error) => SandboxError::Read(error),
        EVMError::Custom(reason) => SandboxError::Stopped(reason),
        other => SandboxError::Stopped(other.to_string()),
    }
}
