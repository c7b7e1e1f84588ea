use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::{StreamExt as _, future::join, stream};
use serde_json::value::RawValue;
use turnpike_http::Allowance;

use super::{
    ResponseText, answer_request,
    cost::cost,
    error::RpcError,
    request::Request,
    send::{RawSubmission, send_all},
    subscribe::SocketFrame,
};
use crate::context::ApiContext;

/// Requests in one batch, at most.
const BATCH_REQUESTS_MAX: usize = 1_000;

/// Requests of a batch that run at the same time, not counting submitted transactions.
const BATCH_CONCURRENT_MAX: usize = 16;

/// Bytes of responses after which the rest of a batch is refused (geth's limit).
const BATCH_ANSWER_BYTES_MAX: usize = 25 * 1000 * 1000;

/// Answers a batch in its order and charges the client for each request. The batch's transactions
/// are submitted together. The other requests run concurrently. Returns `None` if all requests are
/// notifications.
pub(super) async fn answer_batch(
    context: &Arc<ApiContext>,
    allowance: &Allowance,
    texts: Vec<&RawValue>,
    frame: Option<&SocketFrame>,
) -> Option<ResponseText> {
    if texts.is_empty() {
        return Some(RpcError::invalid_request("empty batch").answered(None));
    }
    if texts.len() > BATCH_REQUESTS_MAX {
        let message = format!("batch of {} requests, limit {BATCH_REQUESTS_MAX}", texts.len());
        return Some(RpcError::invalid_request(message).answered(None));
    }
    let mut answers: Vec<Option<ResponseText>> = vec![None; texts.len()];
    let (mut places, mut sends, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for (at, text) in texts.into_iter().enumerate() {
        match Request::parse(text) {
            Err(error) => answers[at] = Some(error.answered(None)),
            Ok(request) => match allowance.charge(cost(&request)) {
                Err(exceeded) => {
                    answers[at] = request.id.map(|id| RpcError::from(exceeded).answered(Some(id)));
                }
                Ok(()) => match RawSubmission::parse(&request) {
                    None => others.push((at, request)),
                    Some(Err(error)) => {
                        answers[at] = request.id.map(|id| error.answered(Some(id)));
                    }
                    Some(Ok(send)) => {
                        places.push((at, request.id));
                        sends.push(send);
                    }
                },
            },
        }
    }
    let others = answer_others(context, allowance, others, frame);
    let (sent, others) = join(send_all(context, sends), others).await;
    for ((at, id), result) in places.into_iter().zip(sent) {
        super::pay_for_refusal(allowance, &result);
        answers[at] = id.map(|id| super::answered(Some(id), result));
    }
    for (at, answer) in others {
        answers[at] = answer;
    }
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    (!answers.is_empty()).then(|| format!("[{}]", answers.join(",")))
}

async fn answer_others(
    context: &Arc<ApiContext>,
    allowance: &Allowance,
    requests: Vec<(usize, Request<'_>)>,
    frame: Option<&SocketFrame>,
) -> Vec<(usize, Option<ResponseText>)> {
    let bytes = AtomicUsize::new(0);
    let mut answers = Vec::with_capacity(requests.len());
    for (at, request) in requests {
        answers.push(answer_within(context, allowance, &bytes, at, request, frame));
    }
    stream::iter(answers).buffered(BATCH_CONCURRENT_MAX).collect().await
}

/// Answers a request. Refuses it if the batch's answers so far, `bytes` in all, exceed
/// [`BATCH_ANSWER_BYTES_MAX`].
async fn answer_within(
    context: &Arc<ApiContext>,
    allowance: &Allowance,
    bytes: &AtomicUsize,
    at: usize,
    request: Request<'_>,
    frame: Option<&SocketFrame>,
) -> (usize, Option<ResponseText>) {
    if bytes.load(Ordering::Relaxed) > BATCH_ANSWER_BYTES_MAX {
        return (at, request.id.map(|id| RpcError::response_too_large().answered(Some(id))));
    }
    let answer = answer_request(context, allowance, &request, frame).await;
    bytes.fetch_add(answer.as_ref().map_or(0, String::len), Ordering::Relaxed);
    (at, answer)
}
