//! REST below `/v1`: what became of transactions, accounts, blocks, batches, outputs, disputes,
//! deposits and
//! withdrawals.

mod accounts;
mod batches;
mod block_settlement;
mod blocks;
mod deposits;
mod disputes;
mod outputs;
mod query;
mod status;
mod transaction_status;
mod transactions;
mod withdrawals;

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use axum::{
    extract::{FromRef, FromRequestParts, Path, Request, State},
    http::request::Parts,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use turnpike_l1::L1Error;
use turnpike_storage::StorageError;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) use self::{
    query::{Query, malformed},
    transaction_status::{StatusReader, TransactionState, TransactionStatus},
};
use turnpike_http::Allowance;

use super::{
    costs::{L1_REST_UNITS, REST_UNITS},
    l1_queries::L1Queries,
    problem::{Code, Problem},
};
use crate::context::ApiContext;

type Api = State<Arc<ApiContext>>;
type L1 = State<Arc<L1Queries>>;
pub(super) type RestResult<T> = Result<T, Problem>;

/// The paths below `/v1`.
pub(super) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Arc<ApiContext>: FromRef<S>,
    Arc<L1Queries>: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(transactions::submit))
        .routes(routes!(transactions::transaction))
        .routes(routes!(accounts::account))
        .routes(routes!(blocks::block))
        .routes(routes!(batches::batches))
        .routes(routes!(batches::batch))
        .routes(routes!(outputs::outputs))
        .routes(routes!(outputs::output))
        .routes(routes!(disputes::disputes))
        .routes(routes!(disputes::dispute))
        .routes(routes!(deposits::deposits))
        .routes(routes!(deposits::deposit))
        .routes(routes!(deposits::forced))
        .routes(routes!(withdrawals::withdrawals))
        .routes(routes!(withdrawals::withdrawal))
        .routes(routes!(status::status))
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Busy => Self::new(Code::Busy, error.to_string()),
            error => Self::internal(&error),
        }
    }
}

impl From<L1Error> for Problem {
    fn from(error: L1Error) -> Self {
        Self::new(Code::L1Unreachable, format!("L1 did not answer: {error}"))
    }
}

/// The last segment of a path.
#[derive(Clone, Debug)]
pub(super) struct Name(String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(name) =
            path.map_err(|error| Problem::new(Code::MalformedPath, error.body_text()))?;
        Ok(Self(name))
    }
}

/// Parses a hash of a path or query.
pub(super) fn parse_hash(text: &str) -> RestResult<B256> {
    let hash = text.starts_with("0x").then(|| text.parse().ok()).flatten();
    hash.ok_or_else(|| Problem::new(Code::MalformedHash, format!("{text:?} is not a hash")))
}

/// Parses an address of a path or query.
pub(super) fn parse_address(text: &str) -> RestResult<Address> {
    let address = text.starts_with("0x").then(|| text.parse().ok()).flatten();
    let malformed = || Problem::new(Code::MalformedAddress, format!("{text:?} is not an address"));
    address.ok_or_else(malformed)
}

/// Parses an index of a path; `what` names the item.
fn parse_index(text: &str, what: &str) -> RestResult<u64> {
    parse_number(text).ok_or_else(|| {
        Problem::new(Code::MalformedIndex, format!("{text:?} is not the number of {what}"))
    })
}

/// Largest number in a request: the document's int64.
const NUMBER_MAX: u64 = i64::MAX.unsigned_abs();

/// Parses a number of decimal digits.
pub(crate) fn parse_number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse::<u64>().ok().filter(|number| *number <= NUMBER_MAX);
    if is_plain { number } else { None }
}

/// Charges a request to its client.
pub(crate) async fn charge(request: Request, next: Next) -> Response {
    let paid = match request.extensions().get::<Allowance>() {
        Some(allowance) => allowance.charge(units_of(request.uri().path())),
        None => Ok(()),
    };
    match paid {
        Ok(()) => next.run(request).await,
        Err(exceeded) => Problem::from(exceeded).into_response(),
    }
}

/// The cost of a request. Requests that make the node ask L1 cost more: the operator pays for L1.
fn units_of(path: &str) -> u32 {
    let asks_l1 = ["/v1/deposits", "/v1/withdrawals"].iter().any(|asks| path.starts_with(asks));
    if asks_l1 { L1_REST_UNITS } else { REST_UNITS }
}

/// Any other path.
pub(crate) async fn not_found(request: Request) -> Problem {
    Problem::not_found(format!("there is nothing at {}", request.uri().path()))
}

/// A path that exists, with another method.
pub(crate) async fn method_not_allowed(request: Request) -> Problem {
    let detail = format!("{} does not take {}", request.uri().path(), request.method());
    Problem::new(Code::MethodNotAllowed, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_ask_l1_cost_more() {
        for path in ["/v1/deposits", "/v1/withdrawals/0x12", "/v1/withdrawals"] {
            assert_eq!(units_of(path), L1_REST_UNITS, "{path}");
        }
        assert_eq!(units_of("/v1/blocks/7"), REST_UNITS);
    }
}
