//! Calls the executor and the state. No other module does.

use std::{collections::BTreeMap, num::NonZero};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use turnpike_executor::{
    BlockContext, BlockExecutor, BlockHashes, BlockTransaction, BlockTx, ChainSpec, Engine,
    EngineConfig, EngineCounters, Grain, InvalidTransaction, Mode, PlainTransfer, SkipReason,
    TxEnv,
};
use turnpike_protocol::{EcrecoverInput, Header, SignedTx, ecrecover};
use turnpike_state::{Account, AccountDiff, NodeState, StateDiff};

use crate::{compare::compare, external_precompiles};

pub(crate) use turnpike_executor::{Executed, SpecId as Fork};

/// How many blocks BLOCKHASH looks back.
const BLOCK_HASHES: u64 = 256;

/// An account of a pre-state.
#[derive(Clone, Debug, Default)]
pub(crate) struct PreAccount {
    pub(crate) balance: U256,
    pub(crate) nonce: u64,
    pub(crate) code: Bytes,
    pub(crate) storage: BTreeMap<U256, U256>,
}

/// Builds the state with these accounts.
pub(crate) fn state_of(accounts: impl IntoIterator<Item = (Address, PreAccount)>) -> NodeState {
    let mut diff = StateDiff::default();
    let mut codes = BTreeMap::new();
    for (address, PreAccount { balance, nonce, code, storage }) in accounts {
        let code_hash = keccak256(&code);
        if !code.is_empty() {
            codes.insert(code_hash, code);
        }
        diff.accounts.push(AccountDiff {
            address,
            account: Some(Account { nonce, balance, code_hash }),
            storage_cleared: false,
            storage: storage.into_iter().collect(),
        });
    }
    diff.codes = codes.into_iter().collect();
    NodeState::from_genesis(&diff).0
}

/// An engine that runs even the smallest blocks in lanes.
pub(crate) fn engine(workers: NonZero<usize>) -> Engine {
    Engine::new(EngineConfig { mode: Mode::Parallel, workers, grain: Grain::FINEST })
}

/// Runs a block by the rules of an Ethereum fork and commits it. Refused transactions are part of
/// the result; an error means that the executor could not run the block. With an engine, the block
/// runs on both executors: the engine's outcome is the result, and a difference from the reference
/// executor's is an error.
pub(crate) fn execute<T: BlockTransaction + Clone + Send + Sync>(
    engine: Option<&Engine>,
    chain_id: u64,
    fork: Fork,
    header: Header,
    hashes: BTreeMap<u64, B256>,
    transactions: Vec<T>,
    state: &mut NodeState,
) -> Result<Executed<T>, String> {
    let spec = ChainSpec::ethereum(chain_id, fork);
    let context =
        BlockContext { header, hashes: BlockHashes::Given(hashes), l1_fee: None, backlog: None };
    let Some(engine) = engine else {
        let mut executed = external_precompiles::execute(&spec, &context, &transactions, state)?;
        state.apply(executed.diff());
        return Ok(executed);
    };
    let mut reference =
        BlockExecutor::open(&spec, &context, state.flat()).map_err(|error| error.to_string())?;
    reference.execute_all(transactions.iter().cloned()).map_err(|error| error.to_string())?;
    let (expected, _) = reference.finish().map_err(|error| error.to_string())?;
    let mut block =
        engine.open(&spec, &context, state.flat()).map_err(|error| error.to_string())?;
    block.execute_slice(transactions).map_err(|error| error.to_string())?;
    let (mut executed, _) = block.finish().map_err(|error| error.to_string())?;
    compare(expected, &mut executed).map_err(|difference| format!("in lanes: {difference}"))?;
    // These do not change the outcome, so the comparison above misses them.
    let EngineCounters { panics, lane_errors, .. } = engine.counters();
    if panics > 0 || lane_errors > 0 {
        return Err(format!("in lanes: {panics} panics, {lane_errors} failed lanes"));
    }
    state.apply(executed.diff());
    Ok(executed)
}

/// The block hashes that state tests assume: block `n` has the hash of `n`'s decimal digits.
pub(crate) fn hashes_of_digits(number: u64) -> BTreeMap<u64, B256> {
    let numbers = number.saturating_sub(BLOCK_HASHES)..number;
    numbers.map(|number| (number, keccak256(number.to_string()))).collect()
}

/// Pays a block reward of zero, which touches the beneficiary. Before EIP-161 this creates an empty
/// account; since EIP-161 it removes one.
pub(crate) fn reward_nothing(fork: Fork, beneficiary: Address, state: &mut NodeState) {
    let account = match state.account(&beneficiary) {
        None if fork < Fork::SPURIOUS_DRAGON => Some(Account::default()),
        Some(account) if fork >= Fork::SPURIOUS_DRAGON && account.is_empty() => None,
        _ => return,
    };
    let change = AccountDiff { address: beneficiary, account, ..AccountDiff::default() };
    state.apply(&StateDiff { accounts: vec![change], codes: Vec::new() });
}

/// A transaction's intrinsic gas: the executor reports it when it refuses a gas limit of zero.
pub(crate) fn intrinsic_gas(chain_id: u64, fork: Fork, tx: &SignedTx) -> Result<u64, String> {
    let probe = Probe { tx: BlockTx::User(tx.clone()), gas_limit: Some(0) };
    match probe_block(chain_id, fork, probe)? {
        Some(SkipReason::Invalid(InvalidTransaction::CallGasCostMoreThanGasLimit {
            initial_gas,
            ..
        })) => Ok(initial_gas),
        Some(reason) => Err(reason.to_string()),
        None => Err("executed with a gas limit of zero".to_owned()),
    }
}

/// Checks that a block accepts a transaction whose sender can pay for it.
pub(crate) fn validate(chain_id: u64, fork: Fork, tx: &SignedTx) -> Result<(), String> {
    let probe = Probe { tx: BlockTx::User(tx.clone()), gas_limit: None };
    match probe_block(chain_id, fork, probe)? {
        Some(reason) => Err(reason.to_string()),
        None => Ok(()),
    }
}

/// A transaction that is offered to a block to check its form. It carries no value: the sender's
/// funds are not under test.
#[derive(Clone, Debug)]
struct Probe {
    tx: BlockTx,
    /// Replaces the transaction's own gas limit.
    gas_limit: Option<u64>,
}

impl BlockTransaction for Probe {
    fn sender(&self) -> Result<Address, SkipReason> {
        self.tx.sender()
    }

    fn tx_env(
        &self,
        sender: Address,
        recover: &mut impl FnMut(&EcrecoverInput) -> Option<Address>,
    ) -> TxEnv {
        let mut env = self.tx.tx_env(sender, recover);
        env.value = U256::ZERO;
        env.gas_limit = self.gas_limit.unwrap_or(env.gas_limit);
        env
    }

    fn call(&self) -> Option<(Address, &[u8])> {
        self.tx.call()
    }

    fn gas_limit(&self) -> u64 {
        self.gas_limit.unwrap_or_else(|| self.tx.gas_limit())
    }

    fn access_list(&self) -> Option<&alloy_eips::eip2930::AccessList> {
        self.tx.access_list()
    }

    /// `None`: the fast path for transfers skips the rules that the probe is about.
    fn plain_transfer(&self) -> Option<PlainTransfer> {
        None
    }

    fn hash(&self) -> B256 {
        self.tx.hash()
    }

    fn mint(&self) -> Option<u128> {
        self.tx.mint()
    }

    fn data_size(&self) -> u64 {
        self.tx.data_size()
    }
}

/// Offers a probe to a block with free gas and a rich sender. Returns the refusal, if any.
fn probe_block(chain_id: u64, fork: Fork, probe: Probe) -> Result<Option<SkipReason>, String> {
    let sender = probe.sender().map_err(|reason| reason.to_string())?;
    let nonce = probe.tx_env(sender, &mut ecrecover).nonce;
    let rich = PreAccount { balance: U256::MAX, nonce, ..PreAccount::default() };
    let header = Header {
        number: 1,
        gas_limit: u64::MAX,
        base_fee_per_gas: (fork >= Fork::LONDON).then_some(0),
        ..Header::default()
    };
    let state = &mut state_of([(sender, rich)]);
    let executed = execute(None, chain_id, fork, header, BTreeMap::new(), vec![probe], state)?;
    Ok(executed.skipped.into_iter().next().map(|skipped| skipped.reason))
}
