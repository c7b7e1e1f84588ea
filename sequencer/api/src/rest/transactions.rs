use std::{sync::Arc, time::Duration};

use alloy_primitives::{B256, Bytes};
use axum::{
    Json,
    extract::{Extension, RawQuery, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use turnpike_http::Allowance;
use utoipa::{IntoParams, ToSchema};

use super::{
    Api, Name, RestResult, TransactionState, TransactionStatus, parse_hash,
    query::{Query, malformed},
    transaction_status::StatusReader,
};
use crate::context::ApiContext;
use crate::{
    costs::{REFUSED_TRANSACTION_UNITS, TRANSACTION_UNITS, submitted_units},
    problem::{Code, Problem},
    schema::{Data, Failing, Hash, Malformed, Missing, NotTaken},
    wait::{WaitError, WaitGoal, reached},
};
use turnpike_sequencer::{Accepted, PreconfirmationError, Refusal};

/// Seconds that a request waits by default.
const WAIT_SECONDS_DEFAULT: u64 = 30;

/// Seconds that a request may wait at most.
const WAIT_SECONDS_MAX: u64 = 600;

/// Transactions in one request.
const BULK_TRANSACTIONS_MAX: usize = 10_000;

/// Bytes before each transaction of a bulk body: its length, little-endian.
const LENGTH_BYTES: usize = 4;

/// Body of a submission: one transaction, or many, as EIP-2718 bytes.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Submission {
    Transaction(Bytes),
    Transactions(Vec<Bytes>),
}

/// One transaction, or many, as EIP-2718 bytes.
#[derive(ToSchema)]
#[serde(untagged, deny_unknown_fields)]
#[schema(as = Submission)]
#[allow(dead_code, reason = "describes the body")]
pub(super) enum SubmissionBody {
    One {
        #[schema(value_type = Data)]
        transaction: Bytes,
    },
    Many {
        /// 10,000 at most.
        #[schema(value_type = Vec<Data>, max_items = 10_000)]
        transactions: Vec<Bytes>,
    },
}

/// An accepted transaction.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct AcceptedTransaction {
    #[schema(value_type = Hash)]
    hash: B256,
}

/// The result of one transaction of a bulk submission.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum SubmissionResult {
    /// It was accepted.
    Accepted {
        #[schema(value_type = Hash)]
        hash: B256,
    },
    /// It was accepted, and the request waited for it.
    PreconfirmationResult {
        /// Its status.
        transaction: Box<TransactionStatus>,
    },
    /// It is refused.
    Refused { error: Problem },
}

/// The results of a bulk submission, in its order.
#[derive(Serialize, ToSchema)]
pub(super) struct SubmissionResults {
    results: Vec<SubmissionResult>,
}

/// The response to a submission: one transaction's hash, or its status if the request waits; a
/// result
/// for each transaction of a bulk submission.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the answers")]
pub(super) enum SubmissionAnswer {
    TransactionStatus(Box<TransactionStatus>),
    AcceptedTransaction(AcceptedTransaction),
    SubmissionResults(SubmissionResults),
}

/// The query: whether and how long to wait.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the query")]
pub(super) struct WaitParams {
    /// The stage that all transactions must reach before the response.
    #[param(value_type = Option<WaitGoal>)]
    wait: Option<WaitGoal>,
    /// Seconds after which the response comes in any case. Only with `wait`.
    #[param(minimum = 1, maximum = 600, default = 30)]
    timeout: Option<u64>,
}

/// The stage that a request waits for, and its deadline.
#[derive(Clone, Copy, Debug)]
struct Wait {
    goal: WaitGoal,
    deadline: Instant,
}

impl Wait {
    /// Parses `?wait=&timeout=`. `None` if the request does not wait.
    fn parse(raw: Option<&str>, now: Instant) -> RestResult<Option<Self>> {
        let query = Query::parse(raw, &["wait", "timeout"])?;
        let seconds = query.number("timeout")?;
        let Some(goal) = query.get("wait") else {
            return match seconds {
                None => Ok(None),
                Some(_) => Err(malformed("timeout is given without wait")),
            };
        };
        let goal = match goal {
            "preconfirmed" => WaitGoal::Preconfirmed,
            "sealed" => WaitGoal::Sealed,
            // `posted` is the old spelling.
            "safe" | "posted" => WaitGoal::Safe,
            "final" => WaitGoal::Final,
            other => {
                let detail = format!("wait is {other:?}: preconfirmed, sealed, safe or final");
                return Err(malformed(detail));
            }
        };
        let seconds = seconds.unwrap_or(WAIT_SECONDS_DEFAULT);
        if !(1..=WAIT_SECONDS_MAX).contains(&seconds) {
            let detail = format!("timeout is {seconds}: 1 to {WAIT_SECONDS_MAX} s are allowed");
            return Err(malformed(detail));
        }
        Ok(Some(Self { goal, deadline: now + Duration::from_secs(seconds) }))
    }
}

/// Send transactions
///
/// Raw transactions as JSON (`{"transaction": "0x…"}`, `{"transactions": ["0x…", …]}`) or in bulk
/// (`application/octet-stream`: each after its length in four little-endian bytes). The response to
/// one
/// transaction is 202 with its hash, or a problem. The response to many is 200 with a result for
/// each.
/// With `wait`, the response holds the status of each: 200 once all have reached the stage or were
/// refused, 202 after `timeout` seconds.
#[utoipa::path(
    post,
    path = "/v1/transactions",
    tag = "Transactions",
    params(WaitParams),
    request_body(
        description = "Transactions as they were signed",
        content((SubmissionBody = "application/json", example = json!({ "transaction": "0x02f86b" })), (Vec<u8> = "application/octet-stream")),
    ),
    responses(
        (status = 200, description = "Results of a bulk submission, or all transactions have reached the stage", body = SubmissionAnswer),
        (status = 202, description = "The transaction was accepted, or the stage was not reached in time", body = SubmissionAnswer),
        NotTaken, Failing,
    ),
)]
pub(crate) async fn submit(
    State(context): Api,
    Extension(allowance): Extension<Allowance>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<axum::body::Bytes, BytesRejection>,
) -> RestResult<Response> {
    let wait = Wait::parse(query.as_deref(), Instant::now())?;
    match read(&headers, body)? {
        Submission::Transaction(raw) => submit_one(&context, &allowance, raw, wait).await,
        Submission::Transactions(raws) if raws.len() > BULK_TRANSACTIONS_MAX => Err(Problem::new(
            Code::TooManyTransactions,
            format!("{} transactions, limit {BULK_TRANSACTIONS_MAX}", raws.len()),
        )),
        Submission::Transactions(raws) => submit_many(&context, &allowance, raws, wait).await,
    }
}

fn read(
    headers: &HeaderMap,
    body: Result<axum::body::Bytes, BytesRejection>,
) -> RestResult<Submission> {
    let body = body.map_err(|error| {
        let code = match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
            _ => Code::UnreadableBody,
        };
        Problem::new(code, format!("the body cannot be read: {error}"))
    })?;
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    match media.split(';').next().unwrap_or("").trim() {
        "application/json" => serde_json::from_slice(&body)
            .map_err(|error| Problem::new(Code::MalformedJson, error.to_string())),
        "application/octet-stream" => Ok(Submission::Transactions(split_bulk(body)?)),
        other => Err(Problem::new(
            Code::MediaType,
            format!(
                "content type is {other:?}: application/json or application/octet-stream is expected"
            ),
        )),
    }
}

/// Charges the client for transactions and their bytes, submits them, and debits it for refused
/// ones.
async fn submit_paid(
    context: &Arc<ApiContext>,
    allowance: &Allowance,
    raws: Vec<Bytes>,
) -> RestResult<Vec<Result<Accepted, Refusal>>> {
    let units =
        |count: usize, each: u32| u32::try_from(count).unwrap_or(u32::MAX).saturating_mul(each);
    let bytes = raws.iter().map(|raw| submitted_units(raw.len())).fold(0, u32::saturating_add);
    allowance.charge(units(raws.len(), TRANSACTION_UNITS).saturating_add(bytes))?;
    let submitted = context.submissions.submit(raws).await;
    let refused = submitted.iter().filter(|result| result.is_err()).count();
    allowance.debit(units(refused, REFUSED_TRANSACTION_UNITS));
    Ok(submitted)
}

async fn submit_one(
    context: &Arc<ApiContext>,
    allowance: &Allowance,
    raw: Bytes,
    wait: Option<Wait>,
) -> RestResult<Response> {
    let accepted = submit_paid(context, allowance, vec![raw]).await?.remove(0);
    let accepted = accepted.map_err(|refusal| Problem::from(&refusal))?;
    let Some(wait) = wait else {
        let answer = Json(AcceptedTransaction { hash: accepted.hash });
        return Ok((StatusCode::ACCEPTED, answer).into_response());
    };
    let is_done = wait_for(context, &accepted, wait).await?;
    let status = status_after(&mut StatusReader::new(context), &accepted, wait.goal).await?;
    if status.state == TransactionState::Refused {
        return Err(Problem::new(Code::Refused, status.reason.unwrap_or_default()));
    }
    Ok((status_of(is_done), Json(status)).into_response())
}

async fn submit_many(
    context: &Arc<ApiContext>,
    allowance: &Allowance,
    raws: Vec<Bytes>,
    wait: Option<Wait>,
) -> RestResult<Response> {
    let submitted = submit_paid(context, allowance, raws).await?;
    let Some(wait) = wait else {
        let results = submitted.into_iter().map(|result| match result {
            Ok(accepted) => SubmissionResult::Accepted { hash: accepted.hash },
            Err(refusal) => SubmissionResult::Refused { error: (&refusal).into() },
        });
        return Ok(Json(SubmissionResults { results: results.collect() }).into_response());
    };
    let accepted = submitted.iter().filter_map(|result| result.as_ref().ok());
    let waits = join_all(accepted.map(|accepted| wait_for(context, accepted, wait))).await;
    let mut is_done = true;
    for done in waits {
        is_done &= done?;
    }
    let mut statuses = StatusReader::new(context);
    let mut results = Vec::with_capacity(submitted.len());
    for result in &submitted {
        results.push(told(&mut statuses, result, wait.goal).await?);
    }
    Ok((status_of(is_done), Json(SubmissionResults { results })).into_response())
}

async fn told(
    statuses: &mut StatusReader<'_>,
    result: &Result<Accepted, Refusal>,
    goal: WaitGoal,
) -> RestResult<SubmissionResult> {
    match result {
        Ok(accepted) => {
            let transaction = Box::new(status_after(statuses, accepted, goal).await?);
            Ok(SubmissionResult::PreconfirmationResult { transaction })
        }
        Err(refusal) => Ok(SubmissionResult::Refused { error: refusal.into() }),
    }
}

const fn status_of(is_done: bool) -> StatusCode {
    if is_done { StatusCode::OK } else { StatusCode::ACCEPTED }
}

/// Waits until the goal or the deadline. False after the deadline.
async fn wait_for(context: &ApiContext, accepted: &Accepted, wait: Wait) -> RestResult<bool> {
    if wait.goal == WaitGoal::Preconfirmed && accepted.preconfirmation.is_some() {
        return Ok(true);
    }
    match timeout_at(wait.deadline, reached(context, accepted.hash, wait.goal)).await {
        Ok(Ok(()) | Err(WaitError::End(PreconfirmationError::Refused(_)))) => Ok(true),
        // The response holds what is known by then.
        Ok(Err(WaitError::End(_))) | Err(_) => Ok(false),
        Ok(Err(WaitError::Storage(error))) => Err(error.into()),
    }
}

/// The status of an accepted transaction.
async fn status_after(
    statuses: &mut StatusReader<'_>,
    accepted: &Accepted,
    goal: WaitGoal,
) -> RestResult<TransactionStatus> {
    if let (WaitGoal::Preconfirmed, Some(found)) = (goal, &accepted.preconfirmation) {
        return Ok(statuses.preconfirmed(found));
    }
    let hash = accepted.hash;
    Ok(statuses
        .of(hash)
        .await?
        .unwrap_or_else(|| TransactionStatus::new(hash, TransactionState::Received)))
}

/// Splits a bulk body into transactions without copying.
fn split_bulk(mut body: axum::body::Bytes) -> RestResult<Vec<Bytes>> {
    let truncated = || Problem::new(Code::Truncated, "the body ends within a transaction");
    let mut raws = Vec::new();
    while !body.is_empty() {
        let length = body.first_chunk::<LENGTH_BYTES>().ok_or_else(truncated)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let mut rest = body.split_off(LENGTH_BYTES);
        if length > rest.len() {
            return Err(truncated());
        }
        raws.push(rest.split_to(length).into());
        body = rest;
    }
    Ok(raws)
}

/// A transaction's status
///
/// `revertedFrom` says that a reorg removed a block that held it. Unless L1 itself has reorganised
/// (code `l1-reorg`), the same transactions run again in their order on top of what L1 holds.
#[utoipa::path(
    get,
    path = "/v1/transactions/{hash}",
    tag = "Transactions",
    params(("hash" = Hash, Path, description = "The transaction")),
    responses((status = 200, description = "Its status", body = TransactionStatus), Malformed, Missing, Failing),
)]
pub(crate) async fn transaction(
    State(context): Api,
    name: Name,
) -> RestResult<Json<TransactionStatus>> {
    let hash = parse_hash(&name.0)?;
    let status = StatusReader::new(&context).of(hash).await?;
    status.map(Json).ok_or_else(|| Problem::not_found(format!("transaction {hash} is unknown")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(parts: &[&[u8]]) -> RestResult<Vec<Bytes>> {
        split_bulk(parts.concat().into())
    }

    #[test]
    fn bulk_body_is_split_by_lengths() {
        let lengths = |raws: Vec<Bytes>| raws.iter().map(|raw| raw.len()).collect::<Vec<_>>();
        let whole = bulk(&[&[2, 0, 0, 0], &[7, 8], &[0; 4], &[1, 0, 0, 0], &[9]]).expect("whole");
        assert_eq!(whole[0], Bytes::from_static(&[7, 8]));
        assert_eq!(lengths(whole), [2, 0, 1]);
        assert!(bulk(&[]).expect("whole").is_empty());
        for parts in [&[2, 0, 0, 0, 7][..], &[1, 0, 0], &[255; 4]] {
            assert!(bulk(&[parts]).is_err(), "{parts:?}");
        }
    }

    #[test]
    fn wait_parses_goal_and_timeout() {
        let now = Instant::now();
        let parse = |raw: &str| Wait::parse(Some(raw), now);
        assert!(parse("").expect("well formed").is_none());
        for (name, goal) in [
            ("preconfirmed", WaitGoal::Preconfirmed),
            ("sealed", WaitGoal::Sealed),
            ("safe", WaitGoal::Safe),
            ("posted", WaitGoal::Safe),
            ("final", WaitGoal::Final),
        ] {
            let wait = parse(&format!("wait={name}")).expect("well formed").expect("waits");
            assert_eq!(wait.goal, goal);
            assert_eq!(wait.deadline, now + Duration::from_secs(WAIT_SECONDS_DEFAULT));
        }
        let wait = parse("timeout=600&wait=final").expect("well formed").expect("waits");
        assert_eq!(wait.deadline, now + Duration::from_secs(600));
        for raw in
            ["wait=soon", "wait=", "timeout=3", "wait=final&timeout=0", "wait=final&timeout=601"]
        {
            assert!(parse(raw).is_err(), "{raw}");
        }
    }
}
