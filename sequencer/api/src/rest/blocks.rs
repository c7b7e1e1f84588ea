use alloy_primitives::{B256, keccak256};
use axum::{Json, extract::State};
use serde::Serialize;
use turnpike_storage::BlockRecord;
use utoipa::ToSchema;

use super::{
    Api, Name, RestResult,
    block_settlement::{BlockEntry, BlockState, CoveringOutput, block_settlement},
    parse_hash, parse_number,
};
use crate::{
    problem::{Code, Problem},
    schema::{Failing, Hash, Malformed, Missing},
};

/// A block.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockDetails {
    number: u64,
    #[schema(value_type = Hash)]
    hash: B256,
    #[schema(value_type = Hash)]
    parent_hash: B256,
    /// Unix seconds.
    timestamp: u64,
    /// When its hash was written, in Unix milliseconds; null for the genesis block.
    sealed_ms: Option<u64>,
    gas_used: u64,
    gas_limit: u64,
    /// Wei.
    base_fee_per_gas: Option<u64>,
    #[schema(value_type = Hash)]
    state_root: B256,
    #[schema(value_type = Hash)]
    transactions_root: B256,
    #[schema(value_type = Hash)]
    receipts_root: B256,
    #[schema(value_type = Hash)]
    message_passer_storage_root: B256,
    /// The output root after it.
    #[schema(value_type = Hash)]
    output_root: B256,
    /// The inbox entry whose L1 attributes it sees.
    origin_entry: u64,
    /// Hashes of its transactions, deposits included, in order.
    #[schema(value_type = Vec<Hash>)]
    transactions: Vec<B256>,
    state: BlockState,
    #[serde(skip_serializing_if = "Option::is_none")]
    posted: Option<BlockEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<CoveringOutput>,
}

/// A block
#[utoipa::path(
    get,
    path = "/v1/blocks/{id}",
    tag = "Chain",
    params(("id" = String, Path, description = "A number, a hash, `latest`, `safe` (L1 holds it) or `finalized` (an L1 block that is final does)", example = "latest")),
    responses((status = 200, description = "The block", body = BlockDetails), Malformed, Missing, Failing),
)]
pub(crate) async fn block(State(context): Api, name: Name) -> RestResult<Json<BlockDetails>> {
    let id = name.0.as_str();
    let number = match id {
        "latest" => *context.chain.head.borrow(),
        "safe" => context.settlement.read().await.safe(),
        "finalized" => context.settlement.read().await.finalized(),
        hash if hash.starts_with("0x") => {
            let hash = parse_hash(hash).map_err(|_| malformed_block(id))?;
            let number = context.chain.client_database.block_number(&hash).await?;
            number.ok_or_else(|| Problem::not_found(format!("block {hash} is unknown")))?
        }
        number => parse_number(number).ok_or_else(|| malformed_block(id))?,
    };
    let unknown = || Problem::not_found(format!("block {number} is unknown"));
    if number > *context.chain.head.borrow() {
        return Err(unknown());
    }
    let record = context.chain.client_database.block(number).await?.ok_or_else(unknown)?;
    let mut answer = described(&record);
    answer.sealed_ms = context.chain.client_database.block_times(number).await?.sealed_ms;
    let settlement = context.settlement.read().await;
    let settled = block_settlement(&settlement, number, context.chain.config.challenge_window);
    answer.state = settled.state;
    (answer.posted, answer.output) = (settled.posted, settled.output);
    Ok(Json(answer))
}

fn malformed_block(id: &str) -> Problem {
    let detail = format!("{id:?} is not a block number, a hash, latest, safe or finalized");
    Problem::new(Code::MalformedBlock, detail)
}

fn described(record: &BlockRecord) -> BlockDetails {
    let header = &record.header;
    let output = record.output();
    BlockDetails {
        number: header.number,
        hash: output.block_hash,
        parent_hash: header.parent_hash,
        timestamp: header.timestamp,
        sealed_ms: None,
        gas_used: header.gas_used,
        gas_limit: header.gas_limit,
        base_fee_per_gas: header.base_fee_per_gas,
        state_root: header.state_root,
        transactions_root: header.transactions_root,
        receipts_root: header.receipts_root,
        message_passer_storage_root: record.message_passer_storage_root,
        output_root: output.hash(),
        origin_entry: record.origin.entry,
        transactions: record
            .receipts
            .iter()
            .map(|receipt| keccak256(&receipt.transaction))
            .collect(),
        state: BlockState::Sealed,
        posted: None,
        output: None,
    }
}
