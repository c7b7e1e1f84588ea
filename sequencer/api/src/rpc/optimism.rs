//! Methods of an OP node.
//!
//! Blocks lack the fields that this node does not know. The newest L1 block lacks its parent hash,
//! and other L1 blocks have only a number and sometimes a time. L2 blocks lack their sequence
//! number within the origin.

use alloy_primitives::{B256, U64};
use serde_json::{Value, json};
use turnpike_storage::BlockRecord;

use super::{
    error::{RpcError, RpcResult},
    eth::number_of,
    method::methods,
    params::Params,
};
use crate::context::ApiContext;

methods! {
    "optimism_syncStatus", 20, "omits fields that the node does not know" => |s, p| sync_status(s).await;
    "optimism_outputAtBlock", 20, "as optimism_syncStatus" => |s, p| output_at_block(s, p).await;
    "optimism_version", 1, "" => |s, p| Ok(concat!("turnpike/", env!("CARGO_PKG_VERSION")).into());
}

async fn sync_status(context: &ApiContext) -> RpcResult {
    let (l1, origin, safe, finalized) = {
        let settlement = context.settlement.read().await;
        (settlement.l1, settlement.origin, settlement.safe(), settlement.finalized())
    };
    let head_l1 = match l1 {
        Some(l1) => json!({ "hash": l1.hash, "number": l1.number, "timestamp": l1.time }),
        None => Value::Null,
    };
    let final_l1 = l1.and_then(|l1| l1.finalized);
    let final_l1 = final_l1.map_or(Value::Null, |number| json!({ "number": number }));
    let current = origin.map_or(
        Value::Null,
        |origin| json!({ "number": origin.l1_block_number, "timestamp": origin.l1_time }),
    );
    let head = *context.chain.head.borrow();
    let unsafe_l2 = l2_block(context, head).await?;
    let (safe_l2, finalized_l2) =
        (l2_block(context, safe).await?, l2_block(context, finalized).await?);
    Ok(json!({
        "current_l1": current,
        "current_l1_finalized": final_l1,
        "head_l1": head_l1,
        "finalized_l1": final_l1,
        "unsafe_l2": unsafe_l2,
        "safe_l2": safe_l2,
        "finalized_l2": finalized_l2,
        "pending_safe_l2": safe_l2,
        "cross_unsafe_l2": unsafe_l2,
        "local_safe_l2": safe_l2,
    }))
}

async fn output_at_block(context: &ApiContext, mut params: Params) -> RpcResult {
    let number = params.next::<U64>()?.to::<u64>();
    let number = number_of(context, number.into()).await?;
    let number = number.ok_or_else(|| RpcError::server("block not found"))?;
    let record = context.chain.client_database.block(number).await?;
    let record = record.ok_or_else(|| RpcError::server("block not found"))?;
    let output = record.output();
    Ok(json!({
        "version": B256::ZERO,
        "outputRoot": output.hash(),
        "blockRef": reference(&record),
        "withdrawalStorageRoot": output.message_passer_storage_root,
        "stateRoot": output.state_root,
        "syncStatus": sync_status(context).await?,
    }))
}

async fn l2_block(context: &ApiContext, number: u64) -> RpcResult {
    let record = context.chain.client_database.block(number).await?;
    Ok(record.as_ref().map_or(Value::Null, reference))
}

fn reference(record: &BlockRecord) -> Value {
    let header = &record.header;
    json!({
        "hash": header.hash_slow(),
        "number": header.number,
        "parentHash": header.parent_hash,
        "timestamp": header.timestamp,
        "l1origin": { "hash": record.origin.l1_hash, "number": record.origin.l1_block_number.saturating_sub(1) },
    })
}
