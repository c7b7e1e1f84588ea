//! JSON-RPC 2.0 over HTTP, single requests and batches.

mod convert;
mod error;
mod eth;
mod gas;
mod params;

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use self::{error::RpcError, params::Params};
use crate::Shared;

/// Requests in one batch.
const BATCH_REQUESTS_MAX: usize = 1_000;

/// Bytes of answers after which the rest of a batch is not looked at (geth's limit).
const BATCH_ANSWER_BYTES_MAX: usize = 25 * 1000 * 1000;

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    id: Value,
    method: String,
    #[serde(default)]
    params: Value,
}

/// `POST /`.
pub(crate) async fn handle(
    State(shared): State<Arc<Shared>>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            let refusal = RpcError::invalid_request(format!("the body cannot be read: {error}"));
            return respond(error.status(), &refusal.response(Value::Null));
        }
    };
    let answer = match serde_json::from_slice::<Value>(&body) {
        Err(error) => RpcError::parse(&error).response(Value::Null),
        Ok(Value::Array(requests)) => answer_batch(&shared, requests).await,
        Ok(request) => answer_one(&shared, request).await,
    };
    respond(StatusCode::OK, &answer)
}

fn respond(status: StatusCode, answer: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
}

async fn answer_batch(shared: &Arc<Shared>, requests: Vec<Value>) -> Value {
    if requests.is_empty() {
        return RpcError::invalid_request("empty batch").response(Value::Null);
    }
    if requests.len() > BATCH_REQUESTS_MAX {
        let message = format!("batch of {} requests, limit {BATCH_REQUESTS_MAX}", requests.len());
        return RpcError::invalid_request(message).response(Value::Null);
    }
    let mut answers = Vec::with_capacity(requests.len());
    let mut bytes = 0;
    for request in requests {
        if bytes > BATCH_ANSWER_BYTES_MAX {
            let id = request.get("id").cloned().unwrap_or_default();
            answers.push(RpcError::response_too_large().response(id));
            continue;
        }
        let answer = answer_one(shared, request).await;
        bytes += answer.to_string().len();
        answers.push(answer);
    }
    Value::Array(answers)
}

async fn answer_one(shared: &Arc<Shared>, request: Value) -> Value {
    let request: Request = match serde_json::from_value(request) {
        Ok(request) => request,
        Err(error) => return RpcError::invalid_request(error.to_string()).response(Value::Null),
    };
    let Request { id, method, params } = request;
    let answer = match Params::new(params) {
        Ok(params) => dispatch(shared, &method, params).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => error.response(id),
    }
}

async fn dispatch(shared: &Arc<Shared>, method: &str, params: Params) -> Result<Value, RpcError> {
    let s = shared;
    let p = params;
    match method {
        "eth_chainId" => Ok(eth::quantity(s.config.chain_id)),
        "net_version" => Ok(s.config.chain_id.to_string().into()),
        "net_listening" => Ok(true.into()),
        "web3_clientVersion" => Ok(concat!("turnpike/", env!("CARGO_PKG_VERSION")).into()),
        "web3_sha3" => eth::sha3(p),
        "eth_syncing" | "eth_mining" => Ok(false.into()),
        "eth_accounts" => Ok(json!([])),
        "eth_blockNumber" => Ok(eth::quantity(*s.head.borrow())),
        "eth_getBlockByNumber" | "eth_getBlockByHash" => eth::block(s, p).await,
        "eth_getBlockTransactionCountByNumber" | "eth_getBlockTransactionCountByHash" => {
            eth::block_transaction_count(s, p).await
        }
        "eth_getBlockReceipts" => eth::block_receipts(s, p).await,
        "eth_getTransactionByHash" => eth::transaction(s, p).await,
        "eth_getTransactionByBlockNumberAndIndex" | "eth_getTransactionByBlockHashAndIndex" => {
            eth::transaction_by_index(s, p).await
        }
        "eth_getTransactionReceipt" => eth::receipt(s, p).await,
        "eth_getLogs" => eth::logs(s, p).await,
        "eth_getBalance" => eth::balance(s, p).await,
        "eth_getTransactionCount" => eth::transaction_count(s, p).await,
        "eth_getCode" => eth::code(s, p).await,
        "eth_getStorageAt" => eth::storage_at(s, p).await,
        "eth_getProof" => eth::proof(s, p).await,
        "eth_sendRawTransaction" => eth::send_raw_transaction(s, p).await,
        "eth_call" => gas::call(s, p).await,
        "eth_estimateGas" => gas::estimate(s, p).await,
        "eth_gasPrice" => gas::price(s).await,
        // Order is by arrival: a tip buys nothing.
        "eth_maxPriorityFeePerGas" | "net_peerCount" => Ok(eth::quantity(0)),
        "eth_feeHistory" => gas::fee_history(s, p).await,
        "eth_blobBaseFee" => Ok(eth::quantity(1)),
        "txpool_status" => eth::pool_status(s).await,
        other => Err(RpcError::unknown_method(other)),
    }
}
