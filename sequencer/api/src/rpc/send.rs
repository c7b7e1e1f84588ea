use std::{sync::Arc, time::Duration};

use alloy_primitives::{B256, Bytes};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    error::{RpcError, RpcResult},
    eth,
    method::methods,
    params::Params,
    request::Request,
};
use crate::context::ApiContext;
use crate::wait::{WaitError, WaitGoal, reached};
use turnpike_sequencer::{Accepted, PreconfirmationError, Refusal};

/// How long `eth_sendRawTransactionSync` waits without a valid timeout (EIP-7966's recommendation).
const SYNC_TIMEOUT_DEFAULT: Duration = Duration::from_secs(2);

/// How long `eth_sendRawTransactionSync` may wait.
const SYNC_TIMEOUT_MAX: Duration = Duration::from_secs(60);

methods! {
    "eth_sendRawTransaction", 10, "" => |s, p| send_all(s, vec![RawSubmission::accepted(p)?]).await.remove(0);
    "eth_sendRawTransactionSync", 10, "EIP-7966" => |s, p| send_all(s, vec![RawSubmission::sealed(p)?]).await.remove(0);
}

/// Whether a request submits a transaction.
pub(super) fn submits(request: &Request<'_>) -> bool {
    matches!(request.method.as_ref(), "eth_sendRawTransaction" | "eth_sendRawTransactionSync")
}

/// A raw transaction that a request submits.
#[derive(Debug)]
pub(super) struct RawSubmission {
    raw: Bytes,
    until: ReplyAfter,
}

/// When the answer is due.
#[derive(Clone, Copy, Debug)]
enum ReplyAfter {
    /// Once the pool accepts it: `eth_sendRawTransaction`.
    Accepted,
    /// Once its block is sealed, or after this time: `eth_sendRawTransactionSync`.
    Sealed(Duration),
}

impl RawSubmission {
    /// The transaction that a request submits; `None` if the request has another method.
    pub(super) fn parse(request: &Request<'_>) -> Option<Result<Self, RpcError>> {
        let read = match request.method.as_ref() {
            "eth_sendRawTransaction" => Self::accepted,
            "eth_sendRawTransactionSync" => Self::sealed,
            _ => return None,
        };
        Some(request.params().and_then(read))
    }

    fn accepted(mut params: Params) -> Result<Self, RpcError> {
        Ok(Self { raw: params.next()?, until: ReplyAfter::Accepted })
    }

    fn sealed(mut params: Params) -> Result<Self, RpcError> {
        Ok(Self { raw: params.next()?, until: ReplyAfter::Sealed(sync_timeout(&mut params)?) })
    }
}

/// The second parameter: milliseconds, as a quantity or a number.
fn sync_timeout(params: &mut Params) -> Result<Duration, RpcError> {
    let given = match params.optional::<Value>()? {
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => {
            text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok())
        }
        _ => None,
    };
    let given = given.map(Duration::from_millis);
    let allowed = |given: &Duration| !given.is_zero() && *given <= SYNC_TIMEOUT_MAX;
    Ok(given.filter(allowed).unwrap_or(SYNC_TIMEOUT_DEFAULT))
}

/// Submits transactions together. The results are in the same order.
pub(super) async fn send_all(
    context: &Arc<ApiContext>,
    sends: Vec<RawSubmission>,
) -> Vec<RpcResult> {
    if sends.is_empty() {
        return Vec::new();
    }
    let (raws, untils): (Vec<_>, Vec<_>) =
        sends.into_iter().map(|send| (send.raw, send.until)).unzip();
    let submitted = context.submissions.submit(raws).await;
    let answers =
        submitted.into_iter().zip(untils).map(|(result, until)| answer(context, result, until));
    join_all(answers).await
}

async fn answer(
    context: &Arc<ApiContext>,
    result: Result<Accepted, Refusal>,
    until: ReplyAfter,
) -> RpcResult {
    let accepted = result?;
    match until {
        ReplyAfter::Accepted if accepted.is_new => Ok(json!(accepted.hash)),
        // As in geth, because clients match on the text.
        ReplyAfter::Accepted => Err(Refusal::AlreadyKnown.into()),
        ReplyAfter::Sealed(limit) => sealed(context, accepted.hash, limit).await,
    }
}

/// Waits for a receipt, as EIP-7966 specifies.
async fn sealed(context: &Arc<ApiContext>, hash: B256, limit: Duration) -> RpcResult {
    if let Some(missing) = context.transactions.missing_nonce(&hash) {
        return Err(RpcError::unready(hash, missing));
    }
    match timeout(limit, reached(context, hash, WaitGoal::Sealed)).await {
        Ok(Ok(())) => eth::receipt_of(context, hash).await,
        Ok(Err(WaitError::End(PreconfirmationError::Refused(reason)))) => {
            Err(RpcError::server(reason))
        }
        Ok(Err(WaitError::End(end))) => Err(RpcError::server(end.to_string())),
        Ok(Err(WaitError::Storage(error))) => Err(error.into()),
        Err(_) => Err(RpcError::timed_out(hash, limit)),
    }
}
