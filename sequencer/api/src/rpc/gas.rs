use std::time::Instant;

use alloy::rpc::types::{BlockNumberOrTag, FeeHistory};
use alloy_consensus::Transaction as _;
use alloy_primitives::{U64, U128};
use serde_json::{Value, json};
use tokio::task::block_in_place;
use turnpike_storage::unix_milliseconds;

use super::{
    convert::{RpcBlock, quantity, to_json},
    error::{RpcError, RpcResult},
    eth::number_of,
    method::methods,
    params::Params,
};
use crate::context::ApiContext;

/// Margin of `eth_gasPrice` above the base fee, in percent. It covers the rise of a few full
/// blocks.
const PRICE_MARGIN_PERCENT: u64 = 10;

/// Blocks in one `eth_feeHistory`, at most. Each is read with its receipts.
const FEE_HISTORY_BLOCKS_MAX: u64 = 128;

/// Percentiles in one `eth_feeHistory`, at most.
const FEE_HISTORY_PERCENTILES_MAX: usize = 100;

methods! {
    "eth_gasPrice", 1, "" => |s, p| price(s).await;
    "eth_maxPriorityFeePerGas", 1, "0 while every transaction gets its turn at once; otherwise a tenth more than the lowest tip that did" => |s, p| Ok(wei(tip(s)));
    "eth_feeHistory", 20, "" => |s, p| fee_history(s, p).await;
    "eth_blobBaseFee", 1, "always 1: there are no blob transactions" => |s, p| Ok(quantity(1));
}

/// The base fee that a block has if it opens now, in wei.
async fn base_fee_now(context: &ApiContext) -> u64 {
    let chain = context.chain.read().await;
    chain.tip().base_fee_at(chain.config(), unix_milliseconds())
}

pub(crate) async fn price(context: &ApiContext) -> RpcResult {
    let base_fee = base_fee_now(context).await;
    let with_margin = base_fee + base_fee * PRICE_MARGIN_PERCENT / 100;
    Ok(wei(tip(context).saturating_add(with_margin.into())))
}

fn wei(value: u128) -> Value {
    json!(U128::from(value))
}

/// The tip that a transaction needs to be in the next slice, in wei per gas.
fn tip(context: &ApiContext) -> u128 {
    context.transactions.pool().suggested_tip(Instant::now())
}

pub(crate) async fn fee_history(context: &ApiContext, mut params: Params) -> RpcResult {
    let count = params.next::<U64>()?.to::<u64>().min(FEE_HISTORY_BLOCKS_MAX);
    let newest = params.next::<BlockNumberOrTag>()?;
    let percentiles = params.optional::<Vec<f64>>()?;
    if let Some(percentiles) = &percentiles {
        check_percentiles(percentiles)?;
    }
    if count == 0 {
        return to_json(FeeHistory::default());
    }
    let newest = number_of(context, newest.into()).await?;
    let newest = newest.ok_or_else(|| RpcError::server("request beyond head block"))?;
    let oldest = (newest + 1).saturating_sub(count);
    let mut history = FeeHistory { oldest_block: oldest, ..FeeHistory::default() };
    let mut rewards = Vec::new();
    // Read one block at a time, because blocks may be long.
    for number in oldest..=newest {
        let Some(record) = context.chain.client_database.block(number).await? else { break };
        let header = &record.header;
        history.base_fee_per_gas.push(u128::from(header.base_fee_per_gas.unwrap_or_default()));
        history.gas_used_ratio.push(ratio(header.gas_used, header.gas_limit));
        history.base_fee_per_blob_gas.push(1);
        history.blob_gas_used_ratio.push(0.0);
        if let Some(percentiles) = &percentiles {
            let block = block_in_place(|| RpcBlock::new(record))?;
            rewards.push(tips(&block, percentiles));
        }
    }
    let next = match context.chain.client_database.block(newest + 1).await? {
        Some(record) => record.header.base_fee_per_gas.unwrap_or_default(),
        None => base_fee_now(context).await,
    };
    history.base_fee_per_gas.push(u128::from(next));
    history.base_fee_per_blob_gas.push(1);
    history.reward = percentiles.map(|_| rewards);
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
fn tips(block: &RpcBlock, percentiles: &[f64]) -> Vec<u128> {
    let header = &block.record().header;
    let base_fee = header.base_fee_per_gas.unwrap_or_default();
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
