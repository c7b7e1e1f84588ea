use alloy_primitives::{B256, keccak256};
use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};
use turnpike_storage::BlockRecord;

use super::{Answer, Api, settle};
use crate::api::problem::Problem;

/// `GET /v1/blocks/{id}`: a block by number, hash, or `latest`, `safe`, `finalized`.
pub(in crate::api) async fn block(
    State(shared): Api,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let number = match id.as_str() {
        "latest" => *shared.head.borrow(),
        "safe" => shared.settlement.read().await.safe(),
        "finalized" => shared.settlement.read().await.finalized(),
        hash if hash.starts_with("0x") => {
            let hash: B256 = hash.parse().map_err(|_| malformed_block(&id))?;
            let number = shared.database.block_number(&hash).await?;
            number.ok_or_else(|| Problem::not_found(format!("block {hash} is unknown")))?
        }
        number => number.parse().map_err(|_| malformed_block(&id))?,
    };
    let unknown = || Problem::not_found(format!("block {number} is unknown"));
    if number > *shared.head.borrow() {
        return Err(unknown());
    }
    let record = shared.database.block(number).await?.ok_or_else(unknown)?;
    let mut answer = block_summary(&record);
    let settlement = shared.settlement.read().await;
    answer["state"] = settle(&settlement, number, &mut answer).into();
    Ok(Json(answer))
}

fn malformed_block(id: &str) -> Problem {
    let detail = format!("{id:?} is not a block number, a hash, latest, safe or finalized");
    Problem::bad_request("malformed-block", detail)
}

fn block_summary(record: &BlockRecord) -> Value {
    let header = &record.header;
    let output = record.output();
    let transactions: Vec<_> =
        record.receipts.iter().map(|receipt| keccak256(&receipt.transaction)).collect();
    json!({
        "number": header.number,
        "hash": output.block_hash,
        "parentHash": header.parent_hash,
        "timestamp": header.timestamp,
        "gasUsed": header.gas_used,
        "gasLimit": header.gas_limit,
        "baseFeePerGas": header.base_fee_per_gas,
        "stateRoot": header.state_root,
        "transactionsRoot": header.transactions_root,
        "receiptsRoot": header.receipts_root,
        "messagePasserStorageRoot": record.message_passer_storage_root,
        "outputRoot": output.hash(),
        "originEntry": record.origin.entry,
        "transactions": transactions,
    })
}
