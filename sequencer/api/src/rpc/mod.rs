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
mod cost;
mod error;
mod eth;
mod execution_error;
mod filter;
mod gas;
mod installed_filters;
mod log_filter;
mod logs;
mod method;
mod optimism;
mod otterscan;
mod overrides;
mod params;
mod pending;
mod permit;
mod pool;
mod raw;
mod registry;
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
use serde_json::value::RawValue;

pub(crate) use self::installed_filters::Filters;
use self::{
    batch::answer_batch,
    error::{RpcError, RpcResult, id_text},
    request::{Message, Request},
    subscribe::SocketFrame,
};
pub(super) use self::{convert::preconfirmed_receipt, socket::upgrade};
use turnpike_http::{Allowance, RateExceeded};

use super::costs::REFUSED_TRANSACTION_UNITS;
use crate::context::ApiContext;

/// A JSON-RPC response, or a batch's list of responses, as JSON text.
type ResponseText = String;

/// `POST /`.
pub(crate) async fn handle(
    State(context): State<Arc<ApiContext>>,
    Extension(allowance): Extension<Allowance>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match body {
        Ok(body) => answer_text(&context, &allowance, &body, None).await.into_response(),
        Err(error) => {
            let refusal = RpcError::invalid_request(format!("the body cannot be read: {error}"));
            respond(error.status(), refusal.answered(None))
        }
    }
}

fn respond(status: StatusCode, answer: ResponseText) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], answer).into_response()
}

/// The reply to a message.
#[derive(Debug)]
struct RpcReply {
    /// `None` for notifications, which get no response.
    text: Option<ResponseText>,
    /// Set if the client exceeded its rate limit. The message was not executed then.
    exceeded: Option<RateExceeded>,
}

impl RpcReply {
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

impl From<Option<ResponseText>> for RpcReply {
    fn from(text: Option<ResponseText>) -> Self {
        Self { text, exceeded: None }
    }
}

/// Answers a message of an HTTP client, or of a WebSocket client in a `frame`.
async fn answer_text(
    context: &Arc<ApiContext>,
    allowance: &Allowance,
    text: &[u8],
    frame: Option<&SocketFrame>,
) -> RpcReply {
    if let Err(exceeded) = allowance.charge_bytes(text.len()) {
        return RpcReply::exceeded(exceeded, None);
    }
    match Message::parse(text) {
        Err(error) => Some(error.answered(None)).into(),
        Ok(Message::Many(texts)) => answer_batch(context, allowance, texts, frame).await.into(),
        Ok(Message::One(text)) => match Request::parse(text) {
            Err(error) => Some(error.answered(None)).into(),
            Ok(request) => match allowance.charge(cost::cost(&request)) {
                Err(exceeded) => RpcReply::exceeded(exceeded, request.id),
                Ok(()) => answer_request(context, allowance, &request, frame).await.into(),
            },
        },
    }
}

/// Answers a request that was charged, or executes a notification.
async fn answer_request(
    context: &Arc<ApiContext>,
    allowance: &Allowance,
    request: &Request<'_>,
    frame: Option<&SocketFrame>,
) -> Option<ResponseText> {
    let result = dispatch(context, request, frame).await;
    if send::submits(request) {
        pay_for_refusal(allowance, &result);
    }
    request.id.map(|id| answered(Some(id), result))
}

/// Charges extra for a refused transaction.
fn pay_for_refusal(allowance: &Allowance, submitted: &RpcResult) {
    if submitted.as_ref().is_err_and(RpcError::is_refusal) {
        allowance.debit(REFUSED_TRANSACTION_UNITS);
    }
}

async fn dispatch(
    context: &Arc<ApiContext>,
    request: &Request<'_>,
    frame: Option<&SocketFrame>,
) -> RpcResult {
    let method = registry::find(&request.method)?;
    if let Some(frame) = frame
        && let Some(answer) = frame.answer(context, request).await
    {
        return answer;
    }
    (method.run)(Arc::clone(context), request.params()?).await
}

fn answered(id: Option<&RawValue>, result: RpcResult) -> ResponseText {
    match result {
        Ok(result) => format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id_text(id)),
        Err(error) => error.answered(id),
    }
}
