//! Encoded blocks and transactions, headers, and methods for uncles, which do not exist.

use alloy::rpc::types::BlockId;
use alloy_consensus::{Block, BlockBody};
use alloy_primitives::{B256, Bytes, U64};
use serde_json::{Value, json};
use turnpike_storage::BlockRecord;

use super::{
    convert::{RpcBlock, header_of, quantity, to_json},
    error::{RpcError, RpcResult},
    eth::{find_record, find_transaction, number_of},
    method::methods,
    params::Params,
};
use crate::context::ApiContext;

methods! {
    "eth_getRawTransactionByHash", 2, "" => |s, p| raw_transaction(s, p).await;
    "eth_getRawTransactionByBlockHashAndIndex", 5, "" => |s, p| raw_transaction_at(s, p).await;
    "eth_getRawTransactionByBlockNumberAndIndex", 5, "" => |s, p| raw_transaction_at(s, p).await;
    "eth_getHeaderByNumber", 5, "" => |s, p| header(s, p).await;
    "eth_getHeaderByHash", 5, "" => |s, p| header(s, p).await;
    "eth_getUncleCountByBlockNumber", 5, "always 0" => |s, p| uncle_count(s, p).await;
    "eth_getUncleCountByBlockHash", 5, "always 0" => |s, p| uncle_count(s, p).await;
    "eth_getUncleByBlockNumberAndIndex", 1, "always null" => |s, p| Ok(Value::Null);
    "eth_getUncleByBlockHashAndIndex", 1, "always null" => |s, p| Ok(Value::Null);
    "debug_getRawHeader", 5, "" => |s, p| raw_header(s, p).await;
    "debug_getRawBlock", 10, "" => |s, p| raw_block(s, p).await;
    "debug_getRawTransaction", 2, "" => |s, p| raw_transaction(s, p).await;
    "debug_getRawReceipts", 10, "" => |s, p| raw_receipts(s, p).await;
}

/// The bytes of a transaction in a block or in the pool; empty if neither holds it.
async fn raw_transaction(context: &ApiContext, mut params: Params) -> RpcResult {
    let hash = params.next::<B256>()?;
    let in_block = async || {
        let found = find_transaction(context, hash).await?;
        Ok::<_, RpcError>(found.map(|(record, at)| transaction_bytes(&record, at)))
    };
    if let Some(bytes) = in_block().await? {
        return Ok(json!(bytes));
    }
    if let Some((bytes, _)) = context.transactions.waiting(&hash) {
        return Ok(json!(bytes));
    }
    // The transaction may have moved into a block since the first lookup.
    Ok(json!(in_block().await?.unwrap_or_default()))
}

fn transaction_bytes(record: &BlockRecord, at: usize) -> Bytes {
    record.receipts[at].transaction.clone()
}

async fn raw_transaction_at(context: &ApiContext, mut params: Params) -> RpcResult {
    let record = find_record(context, params.next()?).await?;
    let index = usize::try_from(params.next::<U64>()?.to::<u64>()).unwrap_or(usize::MAX);
    let found = record.filter(|record| index < record.receipts.len());
    Ok(json!(found.map(|record| transaction_bytes(&record, index)).unwrap_or_default()))
}

async fn header(context: &ApiContext, mut params: Params) -> RpcResult {
    match find_record(context, params.next()?).await? {
        Some(record) => to_json(header_of(&record)),
        None => Ok(Value::Null),
    }
}

async fn uncle_count(context: &ApiContext, mut params: Params) -> RpcResult {
    let number = number_of(context, params.next()?).await?;
    Ok(number.map_or(Value::Null, |_| quantity(0)))
}

/// The block that a parameter names. Fails if there is none.
async fn known_block(context: &ApiContext, params: &mut Params) -> Result<BlockRecord, RpcError> {
    let record = find_record(context, params.next::<BlockId>()?).await?;
    record.ok_or_else(|| RpcError::server("block not found"))
}

async fn raw_header(context: &ApiContext, mut params: Params) -> RpcResult {
    let block = known_block(context, &mut params).await?;
    Ok(json!(Bytes::from(alloy_rlp::encode(&block.header))))
}

async fn raw_block(context: &ApiContext, mut params: Params) -> RpcResult {
    let block = RpcBlock::new(known_block(context, &mut params).await?)?;
    let transactions = (0..block.len()).map(|at| block.envelope(at).clone()).collect();
    let body =
        BlockBody { transactions, ommers: Vec::new(), withdrawals: Some(Default::default()) };
    let block = Block::new(block.record().header.clone(), body);
    Ok(json!(Bytes::from(alloy_rlp::encode(&block))))
}

async fn raw_receipts(context: &ApiContext, mut params: Params) -> RpcResult {
    let block = known_block(context, &mut params).await?;
    let receipts = block.receipts.iter().map(|stored| &stored.receipt);
    Ok(json!(receipts.collect::<Vec<_>>()))
}
