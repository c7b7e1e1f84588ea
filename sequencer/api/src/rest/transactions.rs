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
    Answer, Api, Life, LifeState, Name,
    life::Lives,
    parse_hash,
    query::{Query, malformed},
};
use crate::context::ApiContext;
use crate::{
    costs::{REFUSED_TRANSACTION_UNITS, TRANSACTION_UNITS},
    openapi::{Data, Failing, Hash, Malformed, Missing, NotTaken},
    problem::{Code, Problem},
    wait::{Goal, WaitError, reached},
};
use turnpike_sequencer::{Accepted, PreconfirmationError, Refusal};

/// Seconds that a request waits, if it does not say.
const WAIT_SECONDS_DEFAULT: u64 = 30;

/// Seconds that a request may wait.
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

/// What was accepted.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct Taken {
    #[schema(value_type = Hash)]
    hash: B256,
}

/// What became of one transaction of many.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Submitted {
    /// It was accepted.
    Accepted {
        #[schema(value_type = Hash)]
        hash: B256,
    },
    /// It was accepted and waited for.
    PreconfirmationResult {
        /// Its life so far.
        transaction: Box<Life>,
    },
    /// It is not taken.
    Refused { error: Problem },
}

/// What became of each, in the order in which they were given.
#[derive(Serialize, ToSchema)]
pub(super) struct Results {
    results: Vec<Submitted>,
}

/// What one submission is answered: of one transaction its hash, or its life so far if it was waited for; of many a result for each.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the answers")]
pub(super) enum SubmissionAnswer {
    Life(Box<Life>),
    Taken(Taken),
    Results(Results),
}

/// How long to wait.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the query")]
pub(super) struct WaitParams {
    /// How far all transactions are to come before the answer.
    #[param(value_type = Option<Goal>)]
    wait: Option<Goal>,
    /// Seconds after which the answer comes in any case; only with `wait`.
    #[param(minimum = 1, maximum = 600, default = 30)]
    timeout: Option<u64>,
}

/// How far a request waits for its transactions to come, and until when.
#[derive(Clone, Copy, Debug)]
struct Wait {
    goal: Goal,
    deadline: Instant,
}

impl Wait {
    /// `?wait=&timeout=`; `None` if the request waits for nothing.
    fn parse(raw: Option<&str>, now: Instant) -> Answer<Option<Self>> {
        let query = Query::parse(raw, &["wait", "timeout"])?;
        let seconds = query.number("timeout")?;
        let Some(goal) = query.get("wait") else {
            return match seconds {
                None => Ok(None),
                Some(_) => Err(malformed("timeout is given without wait")),
            };
        };
        let goal = match goal {
            "preconfirmed" => Goal::Preconfirmed,
            "sealed" => Goal::Sealed,
            // `posted` is the old spelling.
            "safe" | "posted" => Goal::Safe,
            "final" => Goal::Final,
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
/// Raw transactions as JSON (`{"transaction": "0x…"}`, `{"transactions": ["0x…", …]}`) or in bulk (`application/octet-stream`, each
/// behind its length in four little-endian bytes). One is answered by 202 and its hash, or by a problem; many by 200 and a result for
/// each. With `wait` the answer is the life of each so far, by 200 once all have come so far or were refused, by 202 after `timeout`
/// seconds.
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
        (status = 200, description = "Many were looked at, or what was waited for has happened", body = SubmissionAnswer),
        (status = 202, description = "One was accepted, or what is waited for has not happened in time", body = SubmissionAnswer),
        NotTaken, Failing,
    ),
)]
pub(crate) async fn submit(
    State(shared): Api,
    Extension(allowance): Extension<Allowance>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<axum::body::Bytes, BytesRejection>,
) -> Answer<Response> {
    let wait = Wait::parse(query.as_deref(), Instant::now())?;
    match read(&headers, body)? {
        Submission::Transaction(raw) => submit_one(&shared, &allowance, raw, wait).await,
        Submission::Transactions(raws) if raws.len() > BULK_TRANSACTIONS_MAX => Err(Problem::new(
            Code::TooManyTransactions,
            format!("{} transactions, limit {BULK_TRANSACTIONS_MAX}", raws.len()),
        )),
        Submission::Transactions(raws) => submit_many(&shared, &allowance, raws, wait).await,
    }
}

fn read(
    headers: &HeaderMap,
    body: Result<axum::body::Bytes, BytesRejection>,
) -> Answer<Submission> {
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

/// Offers transactions that the client can pay for, and has it pay for those that are refused.
async fn submit_paid(
    shared: &Arc<ApiContext>,
    allowance: &Allowance,
    raws: Vec<Bytes>,
) -> Answer<Vec<Result<Accepted, Refusal>>> {
    let units =
        |count: usize, each: u32| u32::try_from(count).unwrap_or(u32::MAX).saturating_mul(each);
    allowance.charge(units(raws.len(), TRANSACTION_UNITS))?;
    let submitted = shared.submissions.submit(raws).await;
    let refused = submitted.iter().filter(|result| result.is_err()).count();
    allowance.debit(units(refused, REFUSED_TRANSACTION_UNITS));
    Ok(submitted)
}

async fn submit_one(
    shared: &Arc<ApiContext>,
    allowance: &Allowance,
    raw: Bytes,
    wait: Option<Wait>,
) -> Answer<Response> {
    let accepted = submit_paid(shared, allowance, vec![raw]).await?.remove(0);
    let accepted = accepted.map_err(|refusal| Problem::from(&refusal))?;
    let Some(wait) = wait else {
        let answer = Json(Taken { hash: accepted.hash });
        return Ok((StatusCode::ACCEPTED, answer).into_response());
    };
    let is_done = wait_for(shared, &accepted, wait).await?;
    let life = life(&mut Lives::new(shared), &accepted, wait.goal).await?;
    if life.state == LifeState::Refused {
        return Err(Problem::new(Code::Refused, life.reason.unwrap_or_default()));
    }
    Ok((status_of(is_done), Json(life)).into_response())
}

async fn submit_many(
    shared: &Arc<ApiContext>,
    allowance: &Allowance,
    raws: Vec<Bytes>,
    wait: Option<Wait>,
) -> Answer<Response> {
    let submitted = submit_paid(shared, allowance, raws).await?;
    let Some(wait) = wait else {
        let results = submitted.into_iter().map(|result| match result {
            Ok(accepted) => Submitted::Accepted { hash: accepted.hash },
            Err(refusal) => Submitted::Refused { error: (&refusal).into() },
        });
        return Ok(Json(Results { results: results.collect() }).into_response());
    };
    let accepted = submitted.iter().filter_map(|result| result.as_ref().ok());
    let waits = join_all(accepted.map(|accepted| wait_for(shared, accepted, wait))).await;
    let mut is_done = true;
    for done in waits {
        is_done &= done?;
    }
    let mut lives = Lives::new(shared);
    let mut results = Vec::with_capacity(submitted.len());
    for result in &submitted {
        results.push(told(&mut lives, result, wait.goal).await?);
    }
    Ok((status_of(is_done), Json(Results { results })).into_response())
}

async fn told(
    lives: &mut Lives<'_>,
    result: &Result<Accepted, Refusal>,
    goal: Goal,
) -> Answer<Submitted> {
    match result {
        Ok(accepted) => {
            let transaction = Box::new(life(lives, accepted, goal).await?);
            Ok(Submitted::PreconfirmationResult { transaction })
        }
        Err(refusal) => Ok(Submitted::Refused { error: refusal.into() }),
    }
}

const fn status_of(is_done: bool) -> StatusCode {
    if is_done { StatusCode::OK } else { StatusCode::ACCEPTED }
}

/// Waits as long as the request does; false if that was not long enough.
async fn wait_for(shared: &ApiContext, accepted: &Accepted, wait: Wait) -> Answer<bool> {
    if wait.goal == Goal::Preconfirmed && accepted.preconfirmation.is_some() {
        return Ok(true);
    }
    match timeout_at(wait.deadline, reached(shared, accepted.hash, wait.goal)).await {
        Ok(Ok(()) | Err(WaitError::End(PreconfirmationError::Refused(_)))) => Ok(true),
        // What is known by then is still the answer.
        Ok(Err(WaitError::End(_))) | Err(_) => Ok(false),
        Ok(Err(WaitError::Storage(error))) => Err(error.into()),
    }
}

/// The life so far of a transaction that was accepted.
async fn life(lives: &mut Lives<'_>, accepted: &Accepted, goal: Goal) -> Answer<Life> {
    if let (Goal::Preconfirmed, Some(found)) = (goal, &accepted.preconfirmation) {
        return Ok(lives.preconfirmed(found));
    }
    let hash = accepted.hash;
    Ok(lives.of(hash).await?.unwrap_or_else(|| Life::new(hash, LifeState::Received)))
}

/// The transactions of a bulk body, which they share.
fn split_bulk(mut body: axum::body::Bytes) -> Answer<Vec<Bytes>> {
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

/// A transaction's life so far
///
/// `revertedFrom` tells that it was in a block that was taken back.
#[utoipa::path(
    get,
    path = "/v1/transactions/{hash}",
    tag = "Transactions",
    params(("hash" = Hash, Path, description = "The transaction")),
    responses((status = 200, description = "Its life so far", body = Life), Malformed, Missing, Failing),
)]
pub(crate) async fn transaction(State(shared): Api, name: Name) -> Answer<Json<Life>> {
    let hash = parse_hash(&name.0)?;
    let life = Lives::new(&shared).of(hash).await?;
    life.map(Json).ok_or_else(|| Problem::not_found(format!("transaction {hash} is unknown")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(parts: &[&[u8]]) -> Answer<Vec<Bytes>> {
        split_bulk(parts.concat().into())
    }

    #[test]
    fn a_bulk_body_is_lengths_and_transactions() {
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
    fn a_wait_has_a_goal_and_an_end() {
        let now = Instant::now();
        let parse = |raw: &str| Wait::parse(Some(raw), now);
        assert!(parse("").expect("well formed").is_none());
        for (name, goal) in [
            ("preconfirmed", Goal::Preconfirmed),
            ("sealed", Goal::Sealed),
            ("safe", Goal::Safe),
            ("posted", Goal::Safe),
            ("final", Goal::Final),
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
