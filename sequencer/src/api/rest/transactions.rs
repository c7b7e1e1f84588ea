use std::sync::Arc;

use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{B256, Bytes, keccak256};
use axum::{
    Json,
    extract::{Path, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use turnpike_protocol::ReceiptEnvelope;
use turnpike_storage::TransactionPlace;

use super::{Answer, Api, parse_hash, settle};
use crate::{Refusal, Shared, api::problem::Problem};

/// Transactions in one request.
const BULK_TRANSACTIONS_MAX: usize = 10_000;

/// Bytes before each transaction of a bulk body: its length, little-endian.
const LENGTH_BYTES: usize = 4;

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
pub(in crate::api) async fn submit(
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

/// `GET /v1/transactions/{hash}`: a transaction's life so far. `revertedFrom` tells that it was in a block that was taken back.
pub(in crate::api) async fn transaction(
    State(shared): Api,
    Path(hash): Path<String>,
) -> Answer<Json<Value>> {
    let hash = parse_hash(&hash)?;
    let from = shared.database.reverted_from(&hash).await?;
    let mut life = match life(&shared, hash).await? {
        Some(life) => life,
        // A deposit under the name that it had.
        None if from.is_some() => json!({ "hash": hash, "state": "reverted" }),
        None => return Err(Problem::not_found(format!("transaction {hash} is unknown"))),
    };
    if let Some(from) = from {
        life["revertedFrom"] = json!({ "block": from.block, "reason": from.reason });
    }
    Ok(Json(life))
}

async fn life(shared: &Shared, hash: B256) -> Answer<Option<Value>> {
    if let Some(life) = sealed_transaction(shared, hash).await? {
        return Ok(Some(life));
    }
    {
        let pool = shared.pool.read().await;
        if let Some(tx) = pool.get(&hash) {
            let nonce = tx.tx.nonce();
            let next = pool.next_nonce(&tx.sender).unwrap_or(nonce);
            let mut life =
                json!({ "hash": hash, "state": "received", "sender": tx.sender, "nonce": nonce });
            if next < nonce {
                life["waitingForNonce"] = next.into();
            }
            return Ok(Some(life));
        }
    }
    // A block is being made of it: it is still on the list, and leaves it together with its block's arrival.
    if shared.database.pending_raw(&hash).await?.is_some() {
        return Ok(Some(json!({ "hash": hash, "state": "received" })));
    }
    if let Some(life) = sealed_transaction(shared, hash).await? {
        return Ok(Some(life));
    }
    let reason = shared.database.refusal(&hash).await?;
    Ok(reason.map(|reason| json!({ "hash": hash, "state": "refused", "reason": reason })))
}

/// A transaction that a block holds.
pub(super) async fn sealed_transaction(shared: &Shared, hash: B256) -> Answer<Option<Value>> {
    let Some(place) = shared.database.transaction(&hash).await? else { return Ok(None) };
    let TransactionPlace { block, position } = place;
    let record = shared.database.block(block).await?;
    // The block may have been taken back in between.
    let held = record.as_ref().and_then(|record| record.receipts.get(position));
    let held = held.filter(|receipt| keccak256(&receipt.transaction) == hash);
    let Some((record, receipt)) = record.as_ref().zip(held) else { return Ok(None) };
    let envelope = ReceiptEnvelope::decode_2718(&mut receipt.receipt.as_ref())
        .map_err(|error| Problem::internal(&error))?;
    let mut life = json!({
        "hash": hash,
        "sender": receipt.sender,
        "block": { "number": block, "hash": record.header.hash_slow() },
        "position": position,
        "status": if envelope.status() { "success" } else { "failed" },
        "gasUsed": receipt.gas_used,
        "l1Fee": receipt.l1_fee.to_string(),
    });
    let settlement = shared.settlement.read().await;
    life["state"] = settle(&settlement, block, &mut life).into();
    Ok(Some(life))
}
