//! Calls that change no state: `eth_call`, `eth_estimateGas` and `eth_createAccessList`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use alloy::rpc::types::{BlockId, BlockOverrides, TransactionRequest, state::StateOverride};
use alloy_primitives::{TxKind, U64};
use revm_inspectors::access_list::AccessListInspector;
use serde_json::json;
use tokio::task::block_in_place;
use turnpike_executor::{
    CallOutcome, CallRequest, Checks, HaltReason, InvalidTransaction, Sandbox, SandboxError,
    SandboxTx,
};
use turnpike_protocol::{ChainConfig, Header, next_base_fee};

use super::{
    convert::quantity,
    error::{RpcError, RpcResult},
    eth::{RecentChain, state_at},
    execution_error::{halt_text, refusal, refused},
    method::methods,
    overrides::{override_block, override_state},
    params::Params,
    permit::permit,
};
use crate::context::ApiContext;

/// Gas that a call may use, at most.
pub(super) const CALL_GAS_MAX: u64 = 50_000_000;

/// Gas of the cheapest transaction.
const TRANSFER_GAS: u64 = 21_000;

/// An estimate may exceed the least gas by one part in this many (geth's 1.5 %).
const ESTIMATE_TOLERANCE: u64 = 64;

/// How long a request that runs several times may hold the state. No block can be added meanwhile.
const HELD_MAX: Duration = Duration::from_secs(1);

/// Code of a request that took too long (geth's).
const TIMED_OUT: i64 = -32_016;

/// Runs for one access list, at most. Each run declares what the run before touched, until a run
/// touches nothing new.
const ACCESS_LIST_RUNS_MAX: usize = 16;

methods! {
    "eth_call", 20, "" => |s, p| call(s, p).await;
    "eth_estimateGas", 50, "" => |s, p| estimate(s, p).await;
    "eth_createAccessList", 50, "" => |s, p| access_list(s, p).await;
}

/// Overrides of state and block for a call.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    state: Option<StateOverride>,
    block: Option<BlockOverrides>,
}

impl Overrides {
    pub(super) const fn new(state: Option<StateOverride>, block: Option<BlockOverrides>) -> Self {
        Self { state, block }
    }

    fn of(params: &mut Params) -> Result<Self, RpcError> {
        Ok(Self::new(params.optional()?, params.optional()?))
    }
}

/// Fails if a request has held the state since `started` for longer than [`HELD_MAX`].
pub(super) fn check_held(started: Instant) -> Result<(), RpcError> {
    if started.elapsed() < HELD_MAX {
        return Ok(());
    }
    Err(RpcError::new(TIMED_OUT, format!("execution aborted (timeout = {HELD_MAX:?})")))
}

/// A sandbox on the state after a block, in the environment of `header`.
pub(super) fn sandbox<'c>(
    chain: &'c RecentChain<'_>,
    header: &Header,
    overrides: Overrides,
) -> Result<Sandbox<'c>, RpcError> {
    let mut sandbox = Sandbox::new(chain.config(), header, chain.state());
    if let Some(block) = overrides.block {
        override_block(&mut sandbox, block)?;
    }
    if let Some(state) = overrides.state {
        override_state(&mut sandbox, state)?;
    }
    Ok(sandbox)
}

async fn call(context: &ApiContext, mut params: Params) -> RpcResult {
    let request = params.next::<TransactionRequest>()?;
    let id = params.optional()?;
    let overrides = Overrides::of(&mut params)?;
    let _permit = permit(context).await?;
    let chain = state_at(context, id).await?;
    let outcome = block_in_place(|| {
        let mut sandbox = sandbox(&chain, &chain.head().header, overrides)?;
        let gas = CALL_GAS_MAX.min(sandbox.block().gas_limit);
        let request = call_request(&request, gas)?;
        run(&mut sandbox, chain.config(), &request)
    })?;
    match outcome {
        CallOutcome::Success { output, .. } => Ok(json!(output)),
        CallOutcome::Revert { output, .. } => Err(RpcError::reverted(output)),
        CallOutcome::Halt { reason, .. } => Err(RpcError::server(halt_text(&reason))),
    }
}

/// The least gas limit with which the call succeeds, within the tolerance.
async fn estimate(context: &ApiContext, mut params: Params) -> RpcResult {
    let mut request = params.next::<TransactionRequest>()?;
    // As in geth, a limit below the cheapest transaction's gas counts as no limit.
    request.gas = request.gas.filter(|gas| *gas >= TRANSFER_GAS);
    let id = params.optional()?;
    let overrides = Overrides::of(&mut params)?;
    let _permit = permit(context).await?;
    let chain = state_at(context, id).await?;
    let gas = block_in_place(|| {
        let mut sandbox = sandbox(&chain, &next_header(&chain), overrides)?;
        let cap = allowance(chain.config(), &sandbox, &request)?;
        least_gas(&mut sandbox, chain.config(), call_request(&request, cap)?)
    })?;
    Ok(quantity(gas))
}

fn least_gas(
    sandbox: &mut Sandbox<'_>,
    config: &ChainConfig,
    mut request: CallRequest,
) -> Result<u64, RpcError> {
    let mut enough = request.gas_limit;
    let too_much = || RpcError::server(format!("gas required exceeds allowance ({enough})"));
    let tx = SandboxTx::call(config, &request, Checks::Call);
    let outcome = sandbox.run(&tx).map_err(|error| match error {
        SandboxError::Invalid(
            InvalidTransaction::CallGasCostMoreThanGasLimit { .. }
            | InvalidTransaction::GasFloorMoreThanGasLimit { .. },
        ) => too_much(),
        error => refused(error, &request),
    })?;
    let used = match outcome.result.into() {
        CallOutcome::Success { gas_used, .. } => gas_used,
        CallOutcome::Revert { output, .. } => return Err(RpcError::reverted(output)),
        CallOutcome::Halt { reason: HaltReason::OutOfGas(_), .. } => return Err(too_much()),
        CallOutcome::Halt { reason, .. } => return Err(RpcError::server(halt_text(&reason))),
    };
    // A limit of exactly the gas used is often enough, and never too high.
    request.gas_limit = used;
    if succeeds(sandbox, config, &request)? {
        return Ok(used);
    }
    let mut too_little = used;
    // Next guess: the gas used, plus the 1/64 that calls hold back and the call stipend.
    let mut probe = used.saturating_add(used / 63).saturating_add(2_300).min(enough);
    while enough - too_little > 1 && enough - too_little > enough / ESTIMATE_TOLERANCE {
        request.gas_limit = probe;
        if succeeds(sandbox, config, &request)? {
            enough = probe;
        } else {
            too_little = probe;
        }
        probe = too_little + (enough - too_little) / 2;
    }
    Ok(enough)
}

/// The accounts and slots that a transaction would touch, and its gas if it declares them.
async fn access_list(context: &ApiContext, mut params: Params) -> RpcResult {
    let request = params.next::<TransactionRequest>()?;
    let id = params.optional::<BlockId>()?;
    let overrides = Overrides::new(params.optional()?, None);
    let _permit = permit(context).await?;
    let chain = state_at(context, id).await?;
    block_in_place(|| {
        let mut sandbox = sandbox(&chain, &next_header(&chain), overrides)?;
        let gas = CALL_GAS_MAX.min(sandbox.block().gas_limit);
        let request = call_request(&request, gas)?;
        touched(&mut sandbox, chain.config(), request)
    })
}

fn touched(sandbox: &mut Sandbox<'_>, config: &ChainConfig, mut request: CallRequest) -> RpcResult {
    let started = Instant::now();
    for _ in 0..ACCESS_LIST_RUNS_MAX {
        check_held(started)?;
        let mut inspector = AccessListInspector::new(request.access_list.clone());
        let tx = SandboxTx::call(config, &request, Checks::Call);
        let result = sandbox.inspect(&tx, &mut inspector).map_err(|e| refused(e, &request))?.result;
        let list = inspector.into_access_list();
        if list != request.access_list {
            request.access_list = list;
            continue;
        }
        let (gas_used, error) = match CallOutcome::from(result) {
            CallOutcome::Success { gas_used, .. } => (gas_used, None),
            CallOutcome::Revert { gas_used, .. } => {
                (gas_used, Some("execution reverted".to_owned()))
            }
            CallOutcome::Halt { reason, gas_used } => (gas_used, Some(halt_text(&reason))),
        };
        let mut answer = json!({ "accessList": list, "gasUsed": U64::from(gas_used) });
        if let Some(error) = error {
            answer["error"] = error.into();
        }
        return Ok(answer);
    }
    Err(RpcError::server(format!(
        "what the transaction touches still changes after {ACCESS_LIST_RUNS_MAX} runs"
    )))
}

/// The highest gas limit that a transaction may have and that its sender can pay for.
fn allowance(
    config: &ChainConfig,
    sandbox: &Sandbox<'_>,
    request: &TransactionRequest,
) -> Result<u64, RpcError> {
    let cap = config.transaction_gas_limit_max().min(sandbox.block().gas_limit);
    let price = request.gas_price.or(request.max_fee_per_gas).unwrap_or(0);
    let (Some(from), true) = (request.from, price > 0) else { return Ok(cap) };
    let balance = sandbox.account(from).map_err(refusal)?.balance;
    let value = request.value.unwrap_or_default();
    if value >= balance {
        return Err(RpcError::server("insufficient funds for transfer"));
    }
    let spendable = balance - value;
    let affordable: u64 = (spendable / alloy_primitives::U256::from(price)).saturating_to();
    Ok(cap.min(affordable))
}

/// Converts a request to the executor's transaction. `gas` is the maximum gas limit and the
/// default.
pub(super) fn call_request(
    request: &TransactionRequest,
    gas: u64,
) -> Result<CallRequest, RpcError> {
    let input = match (&request.input.input, &request.input.data) {
        (Some(input), Some(data)) if input != data => {
            return Err(RpcError::invalid_params(
                r#"both "data" and "input" are set and not equal. Please use "input" to pass transaction call data"#,
            ));
        }
        (Some(input), _) => input.clone(),
        (None, data) => data.clone().unwrap_or_default(),
    };
    if request.blob_versioned_hashes.as_ref().is_some_and(|hashes| !hashes.is_empty()) {
        return Err(RpcError::invalid_params("blob transactions are not supported"));
    }
    let is_dynamic =
        request.max_fee_per_gas.is_some() || request.max_priority_fee_per_gas.is_some();
    if request.gas_price.is_some() && is_dynamic {
        return Err(RpcError::invalid_params(
            "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified",
        ));
    }
    Ok(CallRequest {
        from: request.from.unwrap_or_default(),
        to: request.to.unwrap_or(TxKind::Create),
        nonce: request.nonce.unwrap_or_default(),
        gas_limit: request.gas.unwrap_or(gas).min(gas.max(1)),
        gas_price: request.gas_price.or(request.max_fee_per_gas).unwrap_or(0),
        priority_fee: is_dynamic.then(|| request.max_priority_fee_per_gas.unwrap_or_default()),
        value: request.value.unwrap_or_default(),
        input,
        access_list: request.access_list.clone().unwrap_or_default(),
        authorizations: request.authorization_list.clone().unwrap_or_default(),
    })
}

fn run(
    sandbox: &mut Sandbox<'_>,
    config: &ChainConfig,
    request: &CallRequest,
) -> Result<CallOutcome, RpcError> {
    let outcome = sandbox.run(&SandboxTx::call(config, request, Checks::Call));
    Ok(outcome.map_err(|error| refused(error, request))?.result.into())
}

fn succeeds(
    sandbox: &mut Sandbox<'_>,
    config: &ChainConfig,
    request: &CallRequest,
) -> Result<bool, RpcError> {
    match sandbox.run(&SandboxTx::call(config, request, Checks::Call)) {
        Ok(outcome) => Ok(outcome.result.is_success()),
        Err(SandboxError::Invalid(_)) => Ok(false),
        Err(error) => Err(refusal(error)),
    }
}

/// The block environment of an estimate: the next block, at least a second later. Some contracts
/// use more gas once time has passed.
fn next_header(chain: &RecentChain<'_>) -> Header {
    let head = chain.head();
    let mut header = head.header.clone();
    header.parent_hash = head.hash();
    header.number += 1;
    header.timestamp += 1;
    if chain.is_newest() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        header.timestamp = header.timestamp.max(now);
    }
    let base_fee = next_base_fee(chain.config(), &head.header, 1_000 * header.timestamp);
    header.base_fee_per_gas = Some(base_fee);
    header
}
