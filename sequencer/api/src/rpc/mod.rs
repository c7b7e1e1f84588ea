//! JSON-RPC 2.0 over HTTP and WebSocket, single requests and batches.
//!
//! ```text
//! text ─► request ─┬─► transactions: submitted together ─► accepted, or sealed ─┐
//!                  └─► anything else: side by side ─────────────────────────────┴─► answers, in order
//! ```

mod batch;
mod call;
mod chain;
mod convert;
mod error;
mod eth;
mod filter;
mod gas;
mod logs;
mod method;
mod optimism;
mod otterscan;
mod overrides;
mod params;
mod pool;
mod raw;
mod replay;
mod request;
mod send;
mod simulate;
mod socket;
mod subscribe;
mod trace;
mod transfers;
mod watch;

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Extension, State, rejection::BytesRejection},
    http::{
        StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, value::RawValue};

pub(crate) use self::filter::Filters;
use self::{
    batch::answer_batch,
    error::RpcError,
    request::{Message, Request},
    subscribe::Frame,
};
pub(super) use self::{convert::preconfirmed_receipt, socket::upgrade};
use turnpike_http::{Allowance, RateExceeded};

use super::costs::REFUSED_TRANSACTION_UNITS;
use crate::context::ApiContext;

/// What a method answers.
type Answer = Result<Value, RpcError>;

/// An answer, or several in a list, as JSON.
type Answered = String;

/// `POST /`.
pub(crate) async fn handle(
    State(shared): State<Arc<ApiContext>>,
    Extension(allowance): Extension<Allowance>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match body {
        Ok(body) => answer_text(&shared, &allowance, &body, None).await.into_response(),
        Err(error) => {
            let refusal = RpcError::invalid_request(format!("the body cannot be read: {error}"));
            respond(error.status(), refusal.answered(None))
        }
    }
}

fn respond(status: StatusCode, answer: Answered) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], answer).into_response()
}

/// What a text is answered by.
#[derive(Debug)]
struct Reply {
    /// `None`: it consists of notifications, which are not answered.
    text: Option<Answered>,
    /// Why nothing was done, if the client has spent what it may.
    exceeded: Option<RateExceeded>,
}

impl Reply {
    fn exceeded(exceeded: RateExceeded, id: Option<&RawValue>) -> Self {
        Self { text: Some(RpcError::from(exceeded).answered(id)), exceeded: Some(exceeded) }
    }

    fn into_response(self) -> Response {
        let Some(text) = self.text else { return StatusCode::OK.into_response() };
        let Some(exceeded) = self.exceeded else { return respond(StatusCode::OK, text) };
        let mut response = respond(StatusCode::TOO_MANY_REQUESTS, text);
        response.headers_mut().insert(RETRY_AFTER, exceeded.seconds().into());
        response
    }
}

impl From<Option<Answered>> for Reply {
    fn from(text: Option<Answered>) -> Self {
        Self { text, exceeded: None }
    }
}

/// Answers what was sent, as a `frame` of a WebSocket or over HTTP.
async fn answer_text(
    shared: &Arc<ApiContext>,
    allowance: &Allowance,
    text: &[u8],
    frame: Option<&Frame>,
) -> Reply {
    if let Err(exceeded) = allowance.charge_bytes(text.len()) {
        return Reply::exceeded(exceeded, None);
    }
    match Message::parse(text) {
        Err(error) => Some(error.answered(None)).into(),
        Ok(Message::Many(texts)) => answer_batch(shared, allowance, texts, frame).await.into(),
        Ok(Message::One(text)) => match Request::parse(text) {
            Err(error) => Some(error.answered(None)).into(),
            Ok(request) => match allowance.charge(request.cost()) {
                Err(exceeded) => Reply::exceeded(exceeded, request.id),
                Ok(()) => answer_request(shared, allowance, &request, frame).await.into(),
            },
        },
    }
}

/// Answers a request that is paid for, or does what a notification asks for.
async fn answer_request(
    shared: &Arc<ApiContext>,
    allowance: &Allowance,
    request: &Request<'_>,
    frame: Option<&Frame>,
) -> Option<Answered> {
    let result = dispatch(shared, request, frame).await;
    if send::submits(request) {
        pay_for_refusal(allowance, &result);
    }
    request.id.map(|id| answered(Some(id), result))
}

/// A transaction that is refused costs more than one that is taken.
fn pay_for_refusal(allowance: &Allowance, submitted: &Answer) {
    if submitted.as_ref().is_err_and(RpcError::is_refusal) {
        allowance.debit(REFUSED_TRANSACTION_UNITS);
    }
}

async fn dispatch(
    shared: &Arc<ApiContext>,
    request: &Request<'_>,
    frame: Option<&Frame>,
) -> Answer {
    let method = method::find(&request.method)?;
    if let Some(frame) = frame
        && let Some(answer) = frame.answer(shared, request).await
    {
        return answer;
    }
    (method.run)(Arc::clone(shared), request.params()?).await
}

fn answered(id: Option<&RawValue>, result: Answer) -> Answered {
    match result {
        Ok(result) => format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id_text(id)),
        Err(error) => error.answered(id),
    }
}

fn id_text(id: Option<&RawValue>) -> &str {
    id.map_or("null", RawValue::get)
}
