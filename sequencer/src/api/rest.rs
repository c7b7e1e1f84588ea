use std::sync::Arc;

use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{B256, Bytes, keccak256};
use axum::{
    Json,
    extract::{Path, Request, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use turnpike_executor::Engine;
use turnpike_l1::OutputStatus;
use turnpike_protocol::ReceiptEnvelope;
use turnpike_storage::{BlockRecord, StorageError, TransactionPlace};

use super::problem::Problem;
use crate::{Refusal, Settlement, Shared};

/// Transactions in one request.
const BULK_TRANSACTIONS_MAX: usize = 10_000;

/// Bytes before each transaction of a bulk body: its length, little-endian.
const LENGTH_BYTES: usize = 4;

type Api = State<Arc<Shared>>;
type Answer<T> = Result<T, Problem>;

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        Self::internal(&error)
    }
}

/// Body of a submission: one transaction, or many.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Submission {
    Transaction(Bytes),
    Transactions(Vec<Bytes>),
}

/// What became of one transaction of many.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Submitted {
    Hash(B256),
    Error(Problem),
}

/// `POST /v1/transactions`: raw transactions as JSON (`{"transaction": "0x…"}`, `{"transactions": ["0x…", …]}`) or in
/// bulk (`application/octet-stream`, each behind its length in four little-endian bytes). One is answered by 202 and
/// its hash, or by a problem; many by 200 and a result for each.
pub(crate) async fn submit(
    State(shared): Api,
    headers: HeaderMap,
    body: Result<axum::body::Bytes, BytesRejection>,
) -> Answer<Response> {
    let body = body.map_err(|error| {
        let code = match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "oversized",
            _ => "unreadable-body",
        };
        Problem::new(error.status(), code, format!("the body cannot be read: {error}"))
    })?;
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let submission = match media.split(';').next().unwrap_or("").trim() {
        "application/json" => serde_json::from_slice(&body)
            .map_err(|error| Problem::bad_request("malformed-json", error.to_string()))?,
        "application/octet-stream" => Submission::Transactions(split_bulk(&body)?),
        other => {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                format!(
                    "content type is {other:?}: application/json or application/octet-stream is expected"
                ),
            ));
        }
    };
    match submission {
        Submission::Transaction(raw) => {
            let result = submit_idempotent(&shared, vec![raw]).await?.remove(0);
            let hash = result.map_err(|refusal| Problem::from(&refusal))?;
            Ok((StatusCode::ACCEPTED, Json(json!({ "hash": hash }))).into_response())
        }
        Submission::Transactions(raws) => {
            if raws.len() > BULK_TRANSACTIONS_MAX {
                return Err(Problem::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "too-many-transactions",
                    format!("{} transactions, limit {BULK_TRANSACTIONS_MAX}", raws.len()),
                ));
            }
            let results = submit_idempotent(&shared, raws).await?;
            let results: Vec<_> = results
                .into_iter()
                .map(|result| match result {
                    Ok(hash) => Submitted::Hash(hash),
                    Err(refusal) => Submitted::Error((&refusal).into()),
                })
                .collect();
            Ok(Json(json!({ "results": results })).into_response())
        }
    }
}

/// Submits; a transaction that is known already counts as accepted.
async fn submit_idempotent(
    shared: &Arc<Shared>,
    raws: Vec<Bytes>,
) -> Answer<Vec<Result<B256, Refusal>>> {
    let hashes: Vec<_> = raws.iter().map(keccak256).collect();
    let mut results = shared.submit(raws).await;
    for (result, hash) in results.iter_mut().zip(hashes) {
        let known = match result {
            Err(Refusal::AlreadyKnown) => true,
            Err(Refusal::NonceTooLow { .. }) => shared.database.transaction(&hash).await?.is_some(),
            _ => false,
        };
        if known {
            *result = Ok(hash);
        }
    }
    Ok(results)
}

fn split_bulk(mut body: &[u8]) -> Answer<Vec<Bytes>> {
    let truncated = || Problem::bad_request("truncated", "the body ends within a transaction");
    let mut raws = Vec::new();
    while !body.is_empty() {
        let (length, rest) = body.split_first_chunk::<LENGTH_BYTES>().ok_or_else(truncated)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (raw, rest) = rest.split_at_checked(length).ok_or_else(truncated)?;
        raws.push(Bytes::copy_from_slice(raw));
        body = rest;
    }
    Ok(raws)
}

/// `GET /v1/transactions/{hash}`: a transaction's life so far.
pub(crate) async fn transaction(
    State(shared): Api,
    Path(hash): Path<String>,
) -> Answer<Json<Value>> {
    let hash: B256 = hash
        .parse()
        .map_err(|_| Problem::bad_request("malformed-hash", format!("{hash:?} is not a hash")))?;
    if let Some(place) = shared.database.transaction(&hash).await? {
        return sealed_transaction(&shared, hash, place).await.map(Json);
    }
    let pool = shared.pool.read().await;
    if let Some(tx) = pool.get(&hash) {
        let nonce = tx.tx.nonce();
        let next = pool.next_nonce(&tx.sender).unwrap_or(nonce);
        let mut life =
            json!({ "hash": hash, "state": "received", "sender": tx.sender, "nonce": nonce });
        if next < nonce {
            life["waitingForNonce"] = next.into();
        }
        return Ok(Json(life));
    }
    drop(pool);
    // A block is being made of it: it is still on the list, and leaves it together with its block's arrival.
    if shared.database.pending_raw(&hash).await?.is_some() {
        return Ok(Json(json!({ "hash": hash, "state": "received" })));
    }
    if let Some(place) = shared.database.transaction(&hash).await? {
        return sealed_transaction(&shared, hash, place).await.map(Json);
    }
    if let Some(reason) = shared.database.refusal(&hash).await? {
        return Ok(Json(json!({ "hash": hash, "state": "refused", "reason": reason })));
    }
    Err(Problem::not_found(format!("transaction {hash} is unknown")))
}

async fn sealed_transaction(shared: &Shared, hash: B256, place: TransactionPlace) -> Answer<Value> {
    let record = shared.database.block(place.block).await?;
    let record = record.ok_or_else(|| Problem::not_found("the block is not indexed yet"))?;
    let receipt = &record.receipts[place.position];
    let envelope = ReceiptEnvelope::decode_2718(&mut receipt.receipt.as_ref())
        .map_err(|error| Problem::internal(&error))?;
    let mut life = json!({
        "hash": hash,
        "sender": receipt.sender,
        "block": { "number": place.block, "hash": record.header.hash_slow() },
        "position": place.position,
        "status": if envelope.status() { "success" } else { "failed" },
        "gasUsed": receipt.gas_used,
        "l1Fee": receipt.l1_fee.to_string(),
    });
    let settlement = shared.settlement.read().await;
    life["state"] = settle(&settlement, place.block, &mut life).into();
    Ok(life)
}

/// How far a block has come, with the details put into `into`.
fn settle(settlement: &Settlement, block: u64, into: &mut Value) -> &'static str {
    let Some(range) = settlement.posted(block) else { return "sealed" };
    into["posted"] = json!({
        "entry": range.entry.index,
        "l1Transaction": range.l1_transaction,
        "l1Block": range.entry.l1_block_number,
    });
    let Some(output) = settlement.output(block) else { return "safe" };
    let is_final = output.status == OutputStatus::Final;
    into["output"] = json!({
        "index": output.index,
        "l1Transaction": output.l1_transaction,
        "final": is_final,
    });
    if is_final { "final" } else { "proposed" }
}

/// `GET /v1/blocks/{id}`: a block by number, hash, or `latest`, `safe`, `finalized`.
pub(crate) async fn block(State(shared): Api, Path(id): Path<String>) -> Answer<Json<Value>> {
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

/// `GET /v1/status`: where the chain is.
pub(crate) async fn status(State(shared): Api) -> Json<Value> {
    let (head, execution) = {
        let chain = shared.chain.read().await;
        (chain.head().clone(), execution(&shared, chain.engine()).await)
    };
    let pool = shared.pool.read().await.len();
    let settlement = shared.settlement.read().await;
    let newest = settlement.outputs.last();
    Json(json!({
        "chainId": shared.config.chain_id,
        "head": {
            "number": head.header.number,
            "hash": head.hash(),
            "timestamp": head.header.timestamp,
            "stateRoot": head.header.state_root,
        },
        "safe": settlement.safe(),
        "finalized": settlement.finalized(),
        "pool": { "transactions": pool },
        "execution": execution,
        "l1": {
            "block": settlement.l1.map(|l1| l1.number),
            "entries": settlement.posted.len() + 1,
            "error": settlement.l1_error,
        },
        "outputs": {
            "count": settlement.outputs.len(),
            "newestBlock": newest.map(|output| output.l2_block),
            "challenged": settlement
                .outputs
                .iter()
                .filter(|output| output.status == OutputStatus::Challenged)
                .map(|output| output.index)
                .collect::<Vec<_>>(),
            "final": settlement
                .outputs
                .iter()
                .filter(|output| output.status == OutputStatus::Final)
                .map(|output| output.l2_block)
                .max(),
        },
    }))
}

/// How blocks are run: what is set, how the newest block ran (null before the first since the start), and what happened
/// since the start, the journal's blocks that were run again included.
async fn execution(shared: &Shared, engine: &Engine) -> Value {
    json!({
        "mode": engine.mode(),
        "workers": engine.workers(),
        "lastBlock": *shared.last_execution.read().await,
        "sinceStart": engine.counters(),
    })
}

/// Any other path.
pub(crate) async fn not_found(request: Request) -> Problem {
    Problem::not_found(format!("there is nothing at {}", request.uri().path()))
}

/// A path that exists, with another method.
pub(crate) async fn method_not_allowed(request: Request) -> Problem {
    let detail = format!("{} does not take {}", request.uri().path(), request.method());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}
