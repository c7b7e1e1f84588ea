use std::time::{SystemTime, UNIX_EPOCH};

use alloy::rpc::types::{BlockNumberOrTag, FeeHistory, TransactionRequest};
use alloy_consensus::Transaction as _;
use alloy_primitives::{TxKind, U64};
use serde_json::{Value, json};
use tokio::{sync::SemaphorePermit, task::block_in_place};
use turnpike_executor::{CallError, CallOutcome, CallRequest, HaltReason};
use turnpike_protocol::{ChainConfig, Header, next_base_fee};
use turnpike_state::HistoricalView;

use super::{
    convert::RpcBlock,
    error::RpcError,
    eth::{RecentChain, number_of, quantity, state_at, to_json},
    params::Params,
};
use crate::Shared;

/// Gas that an `eth_call` may use.
const CALL_GAS_MAX: u64 = 50_000_000;

/// An estimate may be above the least gas by one part in this many (geth's 1.5 %).
const ESTIMATE_TOLERANCE: u64 = 64;

/// What a legacy transaction is advised to offer above the base fee, in percent: a few full blocks' rise.
const PRICE_MARGIN_PERCENT: u64 = 10;

/// Blocks in one `eth_feeHistory`: each is read with its receipts.
const FEE_HISTORY_BLOCKS_MAX: u64 = 128;

/// Percentiles in one `eth_feeHistory`.
const FEE_HISTORY_PERCENTILES_MAX: usize = 100;

type Answer = Result<Value, RpcError>;

pub(crate) async fn call(shared: &Shared, mut params: Params) -> Answer {
    let request = params.next::<TransactionRequest>()?;
    let id = params.optional()?;
    refuse_overrides(&mut params)?;
    let _permit = permit(shared).await?;
    let chain = state_at(shared, id).await?;
    let request = call_request(&request, CALL_GAS_MAX.min(chain.config().block_gas_limit))?;
    let header = &chain.head().header;
    match block_in_place(|| run(chain.config(), header, &mut chain.state(), &request))? {
        CallOutcome::Success { output, .. } => Ok(json!(output)),
        CallOutcome::Revert { output, .. } => Err(RpcError::reverted(output)),
        CallOutcome::Halt { reason } => Err(RpcError::server(halt_text(&reason))),
    }
}

/// The least gas limit with which the call succeeds, within the tolerance.
pub(crate) async fn estimate(shared: &Shared, mut params: Params) -> Answer {
    let request = params.next::<TransactionRequest>()?;
    let id = params.optional()?;
    refuse_overrides(&mut params)?;
    let _permit = permit(shared).await?;
    let chain = state_at(shared, id).await?;
    let mut state = chain.state();
    let cap = allowance(chain.config(), &state, &request)?;
    let request = call_request(&request, cap)?;
    let header = next_header(&chain);
    block_in_place(|| least_gas(chain.config(), &header, &mut state, request)).map(quantity)
}

fn least_gas(
    config: &ChainConfig,
    header: &Header,
    state: &mut HistoricalView<'_>,
    mut request: CallRequest,
) -> Result<u64, RpcError> {
    let mut enough = request.gas_limit;
    let used = match run(config, header, state, &request)? {
        CallOutcome::Success { gas_used, .. } => gas_used,
        CallOutcome::Revert { output, .. } => return Err(RpcError::reverted(output)),
        CallOutcome::Halt { reason: HaltReason::OutOfGas(_) } => {
            return Err(RpcError::server(format!("gas required exceeds allowance ({enough})")));
        }
        CallOutcome::Halt { reason } => return Err(RpcError::server(halt_text(&reason))),
    };
    // What it used is often enough, and never more than needed.
    request.gas_limit = used;
    if succeeds(config, header, state, &request)? {
        return Ok(used);
    }
    let mut too_little = used;
    // Next best: what it used, with what calls hold back.
    let mut probe = used.saturating_add(used / 63).saturating_add(2_300).min(enough);
    while enough - too_little > 1 && enough - too_little > enough / ESTIMATE_TOLERANCE {
        request.gas_limit = probe;
        if succeeds(config, header, state, &request)? {
            enough = probe;
        } else {
            too_little = probe;
        }
        probe = too_little + (enough - too_little) / 2;
    }
    Ok(enough)
}

pub(super) async fn permit(shared: &Shared) -> Result<SemaphorePermit<'_>, RpcError> {
    shared.calls.acquire().await.map_err(|_| RpcError::server("the node is stopping"))
}

/// State and block overrides change the answer: ignoring them would give a wrong one.
fn refuse_overrides(params: &mut Params) -> Result<(), RpcError> {
    match (params.optional::<Value>()?, params.optional::<Value>()?) {
        (None, None) => Ok(()),
        _ => Err(RpcError::invalid_params("state and block overrides are not supported")),
    }
}

/// Most gas that a transaction may have, and that its sender can pay for.
fn allowance(
    config: &ChainConfig,
    state: &HistoricalView<'_>,
    request: &TransactionRequest,
) -> Result<u64, RpcError> {
    let cap = config.transaction_gas_limit_max();
    let price = request.gas_price.or(request.max_fee_per_gas).unwrap_or(0);
    let (Some(from), true) = (request.from, price > 0) else { return Ok(cap) };
    let balance = state.account(&from).unwrap_or_default().balance;
    let spendable = balance
        .checked_sub(request.value.unwrap_or_default())
        .ok_or_else(|| RpcError::server("insufficient funds for transfer"))?;
    let affordable: u64 = (spendable / alloy_primitives::U256::from(price)).saturating_to();
    Ok(cap.min(affordable))
}

fn call_request(request: &TransactionRequest, gas: u64) -> Result<CallRequest, RpcError> {
    let input = match (&request.input.input, &request.input.data) {
        (Some(input), Some(data)) if input != data => {
            return Err(RpcError::invalid_params(
                r#"both "data" and "input" are set and not equal. Please use "input" to pass transaction call data"#,
            ));
        }
        (Some(input), _) => input.clone(),
        (None, data) => data.clone().unwrap_or_default(),
    };
    Ok(CallRequest {
        from: request.from.unwrap_or_default(),
        to: request.to.unwrap_or(TxKind::Create),
        gas_limit: request.gas.unwrap_or(gas).min(gas.max(1)),
        value: request.value.unwrap_or_default(),
        input,
        access_list: request.access_list.clone().unwrap_or_default(),
        authorizations: request.authorization_list.clone().unwrap_or_default(),
    })
}

fn run(
    config: &ChainConfig,
    header: &Header,
    state: &mut HistoricalView<'_>,
    request: &CallRequest,
) -> Result<CallOutcome, RpcError> {
    turnpike_executor::call(config, header, state, request)
        .map_err(|error| RpcError::server(describe(&error)))
}

/// The environment in which an estimated transaction will run, as far as can be told: a block later, and at least a second.
/// Much code costs more as soon as time has passed.
fn next_header(chain: &RecentChain<'_>) -> Header {
    let head = chain.head();
    let mut header = head.header.clone();
    header.base_fee_per_gas = Some(next_base_fee(chain.config(), &header));
    header.parent_hash = head.hash();
    header.number += 1;
    header.timestamp += 1;
    if chain.is_newest() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        header.timestamp = header.timestamp.max(now);
    }
    header
}

/// revm's words for what clients know in geth's.
fn describe<E: std::error::Error>(error: &CallError<E>) -> String {
    let text = error.to_string();
    if text.contains("lack of funds") {
        return format!("insufficient funds for gas * price + value: {text}");
    }
    if text.contains("call gas cost") || text.contains("gas floor") {
        return format!("intrinsic gas too low: {text}");
    }
    text
}

fn succeeds(
    config: &ChainConfig,
    header: &Header,
    state: &mut HistoricalView<'_>,
    request: &CallRequest,
) -> Result<bool, RpcError> {
    match turnpike_executor::call(config, header, state, request) {
        Ok(outcome) => Ok(matches!(outcome, CallOutcome::Success { .. })),
        Err(CallError::Invalid(_)) => Ok(false),
        Err(error) => Err(RpcError::server(error.to_string())),
    }
}

/// geth's words for how an execution ended.
fn halt_text(reason: &HaltReason) -> String {
    match reason {
        HaltReason::OutOfGas(_) => "out of gas".to_owned(),
        HaltReason::OpcodeNotFound | HaltReason::InvalidFEOpcode => "invalid opcode".to_owned(),
        HaltReason::InvalidJump => "invalid jump destination".to_owned(),
        HaltReason::StackUnderflow => "stack underflow".to_owned(),
        HaltReason::StackOverflow => "stack limit reached 1024 (1023)".to_owned(),
        HaltReason::CreateCollision => "contract address collision".to_owned(),
        HaltReason::CallTooDeep => "max call depth exceeded".to_owned(),
        HaltReason::CreateContractSizeLimit => "max code size exceeded".to_owned(),
        other => format!("execution failed: {other:?}"),
    }
}

pub(crate) async fn price(shared: &Shared) -> Answer {
    let chain = shared.chain.read().await;
    let base_fee = next_base_fee(chain.config(), &chain.head().header);
    Ok(quantity(base_fee + base_fee * PRICE_MARGIN_PERCENT / 100))
}

pub(crate) async fn fee_history(shared: &Shared, mut params: Params) -> Answer {
    let count = params.next::<U64>()?.to::<u64>().min(FEE_HISTORY_BLOCKS_MAX);
    let newest = params.next::<BlockNumberOrTag>()?;
    let percentiles = params.optional::<Vec<f64>>()?;
    if let Some(percentiles) = &percentiles {
        check_percentiles(percentiles)?;
    }
    if count == 0 {
        return to_json(FeeHistory::default());
    }
    let newest = number_of(shared, newest.into()).await?;
    let newest = newest.ok_or_else(|| RpcError::server("request beyond head block"))?;
    let oldest = (newest + 1).saturating_sub(count);
    let records = shared.database.blocks(oldest, newest).await?;
    let mut history = FeeHistory { oldest_block: oldest, ..FeeHistory::default() };
    let mut rewards = Vec::new();
    for record in &records {
        let header = &record.header;
        history.base_fee_per_gas.push(u128::from(header.base_fee_per_gas.unwrap_or_default()));
        history.gas_used_ratio.push(ratio(header.gas_used, header.gas_limit));
        history.base_fee_per_blob_gas.push(1);
        history.blob_gas_used_ratio.push(0.0);
    }
    let next = records.last().map_or(shared.config.initial_base_fee, |record| {
        next_base_fee(&shared.config, &record.header)
    });
    history.base_fee_per_gas.push(u128::from(next));
    history.base_fee_per_blob_gas.push(1);
    if let Some(percentiles) = percentiles {
        for record in records {
            rewards.push(tips(&RpcBlock::new(record)?, &percentiles, &shared.config));
        }
        history.reward = Some(rewards);
    }
    to_json(history)
}

fn check_percentiles(percentiles: &[f64]) -> Result<(), RpcError> {
    let in_range = percentiles.iter().all(|p| (0.0..=100.0).contains(p));
    let increasing = percentiles.windows(2).all(|pair| pair[0] < pair[1]);
    if percentiles.len() > FEE_HISTORY_PERCENTILES_MAX || !in_range || !increasing {
        return Err(RpcError::invalid_params("invalid reward percentile"));
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)] // the answer is a fraction for people
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// Tips paid in a block at the given percentiles of its gas.
fn tips(block: &RpcBlock, percentiles: &[f64], config: &ChainConfig) -> Vec<u128> {
    let header = &block.record().header;
    let base_fee = header.base_fee_per_gas.unwrap_or(config.initial_base_fee);
    let mut paid: Vec<(u128, u64)> = block
        .record()
        .receipts
        .iter()
        .enumerate()
        .filter_map(|(at, stored)| {
            let tip = block.transaction(at).effective_tip_per_gas(base_fee)?;
            Some((tip, stored.gas_used))
        })
        .collect();
    paid.sort_unstable();
    percentiles
        .iter()
        .map(|percentile| {
            let mut gas = 0;
            let reached = paid.iter().find(|(_, used)| {
                gas += used;
                ratio(gas, header.gas_used.max(1)) * 100.0 >= *percentile
            });
            reached.or_else(|| paid.last()).map_or(0, |(tip, _)| *tip)
        })
        .collect()
}
