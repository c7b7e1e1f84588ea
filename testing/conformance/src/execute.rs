//! The one place that knows how the executor and the state are called.

use std::{collections::BTreeMap, num::NonZero};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use turnpike_executor::{
    BlockContext, BlockExecutor, BlockHashes, BlockTransaction, BlockTx, ChainSpec, Engine,
    EngineConfig, EngineCounters, Grain, Included, InvalidTransaction, Mode, PlainTransfer,
    SkipReason, TxEnv,
};
use turnpike_protocol::{EcrecoverInput, Header, SignedTx, ecrecover};
use turnpike_state::{Account, AccountDiff, NodeState, StateDiff};

use crate::answered;

pub(crate) use turnpike_executor::{Executed, SpecId as Fork};

/// Blocks that BLOCKHASH looks back.
const BLOCK_HASHES: u64 = 256;

/// An account of a state to start from.
#[derive(Clone, Debug, Default)]
pub(crate) struct PreAccount {
    pub(crate) balance: U256,
    pub(crate) nonce: u64,
    pub(crate) code: Bytes,
    pub(crate) storage: BTreeMap<U256, U256>,
}

/// The state that consists of these accounts.
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

/// An engine that runs blocks in lanes, however small they are.
pub(crate) fn engine(workers: NonZero<usize>) -> Engine {
    Engine::new(EngineConfig { mode: Mode::Parallel, workers, grain: Grain::FINEST })
}

/// Runs a block by the rules of an Ethereum fork and commits it. What it holds and what was refused is in the result;
/// the error is that of an executor which gave up. With an engine, the block runs on that as well, and what comes of it
/// there is the result: the error may then be that the oracle makes something else of the block.
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
    let context = BlockContext { header, hashes: BlockHashes::Given(hashes), l1_fee: None };
    let Some(engine) = engine else {
        let mut executed = answered::execute(&spec, &context, &transactions, state)?;
        state.apply(executed.diff());
        return Ok(executed);
    };
    let mut oracle =
        BlockExecutor::open(&spec, &context, state.flat()).map_err(|error| error.to_string())?;
    oracle.execute_all(transactions.iter().cloned()).map_err(|error| error.to_string())?;
    let (expected, _) = oracle.finish().map_err(|error| error.to_string())?;
    let mut block =
        engine.open(&spec, &context, state.flat()).map_err(|error| error.to_string())?;
    block.execute_slice(transactions).map_err(|error| error.to_string())?;
    let (mut executed, _) = block.finish().map_err(|error| error.to_string())?;
    compare(expected, &mut executed).map_err(|difference| format!("in lanes: {difference}"))?;
    // The outcome would be right nevertheless.
    let EngineCounters { panics, lane_errors, .. } = engine.counters();
    if panics > 0 || lane_errors > 0 {
        return Err(format!("in lanes: {panics} panics, {lane_errors} lanes that could not go on"));
    }
    state.apply(executed.diff());
    Ok(executed)
}

/// Compares what the engine, or anything else, made of a block with what the oracle made of it.
pub(crate) fn compare<T: BlockTransaction>(
    mut expected: Executed<T>,
    got: &mut Executed<T>,
) -> Result<(), String> {
    if expected.skipped != got.skipped {
        let places = |executed: &Executed<T>| -> Vec<_> {
            executed.skipped.iter().map(|s| (s.index, s.reason.to_string())).collect()
        };
        let (expected, got) = (places(&expected), places(got));
        return Err(format!("skipped: expected {expected:?}, got {got:?}"));
    }
    let results = |executed: &Executed<T>| -> Vec<_> {
        let result = |included: &Included<T>| {
            let Included { tx, sender, nonce, is_success, gas_used, logs, l1_fee } = included;
            (tx.hash(), *sender, *nonce, *is_success, *gas_used, logs.clone(), *l1_fee)
        };
        executed.transactions.iter().map(result).collect()
    };
    let (expected_results, got_results) = (results(&expected), results(got));
    let differs = |(expected, got): &(_, _)| expected != got;
    if let Some((expected, got)) = expected_results.iter().zip(&got_results).find(differs) {
        return Err(format!("included: expected {expected:?}, got {got:?}"));
    }
    if expected_results.len() != got_results.len() {
        let (expected, got) = (expected_results.len(), got_results.len());
        return Err(format!("included: expected {expected}, got {got}"));
    }
    expected.diff().sort();
    got.diff().sort();
    if expected.diff() != got.diff() {
        let (expected, got) = (expected.diff(), got.diff());
        let accounts = expected.accounts.iter().zip(&got.accounts);
        let different = accounts.into_iter().find(|(expected, got)| expected != got);
        return Err(format!("state: expected and got {different:?}"));
    }
    Ok(())
}

/// The block hashes that the state tests are made with: that of block `n` is the hash of `n`'s decimal digits.
pub(crate) fn hashes_of_digits(number: u64) -> BTreeMap<u64, B256> {
    let numbers = number.saturating_sub(BLOCK_HASHES)..number;
    numbers.map(|number| (number, keccak256(number.to_string()))).collect()
}

/// Rewards a block's beneficiary with nothing, which touches it: before EIP-161 it exists from then on, since then it
/// does not if it is empty.
pub(crate) fn reward_nothing(fork: Fork, beneficiary: Address, state: &mut NodeState) {
    let account = match state.account(&beneficiary) {
        None if fork < Fork::SPURIOUS_DRAGON => Some(Account::default()),
        Some(account) if fork >= Fork::SPURIOUS_DRAGON && account.is_empty() => None,
        _ => return,
    };
    let change = AccountDiff { address: beneficiary, account, ..AccountDiff::default() };
    state.apply(&StateDiff { accounts: vec![change], codes: Vec::new() });
}

/// The gas that the executor takes for a transaction before it runs: what it says when it is offered none.
pub(crate) fn intrinsic_gas(chain_id: u64, fork: Fork, tx: &SignedTx) -> Result<u64, String> {
    let probe = Probe { tx: BlockTx::User(tx.clone()), gas_limit: Some(0) };
    match probe_block(chain_id, fork, probe)? {
        Some(SkipReason::Invalid(InvalidTransaction::CallGasCostMoreThanGasLimit {
            initial_gas,
            ..
        })) => Ok(initial_gas),
        Some(reason) => Err(reason.to_string()),
        None => Err("runs without gas".to_owned()),
    }
}

/// Whether a block takes a transaction whose sender can pay for it.
pub(crate) fn validate(chain_id: u64, fork: Fork, tx: &SignedTx) -> Result<(), String> {
    let probe = Probe { tx: BlockTx::User(tx.clone()), gas_limit: None };
    match probe_block(chain_id, fork, probe)? {
        Some(reason) => Err(reason.to_string()),
        None => Ok(()),
    }
}

/// A transaction offered to a block for its form alone: it sends nothing, since the sender's funds are no part of it.
#[derive(Clone, Debug)]
struct Probe {
    tx: BlockTx,
    /// Instead of the transaction's own.
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

    /// None: what is asked is whether the rules let it run.
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

/// Offers a probe to a block in which all gas is free and its sender is rich. Returns why it is refused.
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
