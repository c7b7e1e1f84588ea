//! REST below `/v1`: what became of transactions, blocks, batches, outputs, disputes, deposits and
//! withdrawals.

mod batches;
mod blocks;
mod deposits;
mod disputes;
mod outputs;
mod query;
mod status;
mod transactions;
mod withdrawals;

use std::sync::Arc;

use alloy_primitives::B256;
use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    routing::{get, post},
};
use serde_json::{Value, json};
use turnpike_l1::{L1Error, OutputStatus};
use turnpike_storage::StorageError;

use super::{ApiState, l1::L1Desk, problem::Problem};
use crate::{Settlement, Shared};

type Api = State<Arc<Shared>>;
type L1 = State<Arc<L1Desk>>;
type Answer<T> = Result<T, Problem>;

/// The paths below `/v1`.
pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/v1/transactions", post(transactions::submit))
        .route("/v1/transactions/{hash}", get(transactions::transaction))
        .route("/v1/blocks/{id}", get(blocks::block))
        .route("/v1/batches", get(batches::batches))
        .route("/v1/batches/{entry}", get(batches::batch))
        .route("/v1/outputs", get(outputs::outputs))
        .route("/v1/outputs/{index}", get(outputs::output))
        .route("/v1/disputes", get(disputes::disputes))
        .route("/v1/disputes/{challenge}", get(disputes::dispute))
        .route("/v1/deposits", get(deposits::deposits))
        .route("/v1/deposits/{index}", get(deposits::deposit))
        .route("/v1/forced", get(deposits::forced))
        .route("/v1/withdrawals", get(withdrawals::withdrawals))
        .route("/v1/withdrawals/{hash}", get(withdrawals::withdrawal))
        .route("/v1/status", get(status::status))
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        Self::internal(&error)
    }
}

impl From<L1Error> for Problem {
    fn from(error: L1Error) -> Self {
        let detail = format!("L1 did not answer: {error}");
        Self::new(StatusCode::BAD_GATEWAY, "l1-unreachable", detail)
    }
}

/// A hash as a path or a query has it.
fn parse_hash(text: &str) -> Answer<B256> {
    text.parse()
        .map_err(|_| Problem::bad_request("malformed-hash", format!("{text:?} is not a hash")))
}

/// A position as a path has it; `what` it is the position of.
fn parse_index(text: &str, what: &str) -> Answer<u64> {
    text.parse().map_err(|_| {
        Problem::bad_request("malformed-index", format!("{text:?} is not the number of {what}"))
    })
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

/// Any other path.
pub(in crate::api) async fn not_found(request: Request) -> Problem {
    Problem::not_found(format!("there is nothing at {}", request.uri().path()))
}

/// A path that exists, with another method.
pub(in crate::api) async fn method_not_allowed(request: Request) -> Problem {
    let detail = format!("{} does not take {}", request.uri().path(), request.method());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}
