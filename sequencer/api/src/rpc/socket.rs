//! JSON-RPC over WebSocket, at the same path as over HTTP. A frame holds a request or a batch. Each
//! response has its own frame and is sent as soon as it is ready. A subscription's notifications
//! follow the response that opens it.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{
        Extension, State, WebSocketUpgrade,
        ws::{
            CloseFrame, Message, Utf8Bytes, WebSocket, close_code,
            rejection::WebSocketUpgradeRejection,
        },
    },
    response::{IntoResponse as _, Response},
};
use futures_util::{SinkExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use metrics::counter;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use turnpike_http::{Allowance, QuotaPermit};

use super::{
    answer_text,
    subscribe::{SocketConnection, SocketFrame, Subscription, Subscriptions},
};
use crate::context::ApiContext;
use crate::{
    problem::{Code, Problem},
    state::ApiState,
};
use turnpike_sequencer::notifications::MissedEvents;

/// The response to a browser that opens the port.
const GREETING: &str = "Turnpike sequencer. JSON-RPC: POST /, or a WebSocket. REST: below /v1, described at /docs and by /openapi.json. \
     Events: /v1/stream. Journal: a WebSocket at /v1/feed.\n";

/// Frames of one connection in flight, at most. At the limit the node reads no more frames.
const FRAMES_IN_FLIGHT_MAX: usize = 64;

/// How long sending a response may take before the client is dropped.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// Time between pings.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long a client may send nothing before it is dropped.
const SILENCE_MAX: Duration = Duration::from_secs(65);

/// Notifications of a subscription sent in one step, at most.
const NOTIFICATIONS_STEP: usize = 256;

/// Counts connections that were closed because they missed notifications.
const MISSED_METRIC: &str = "turnpike_sequencer_subscribers_missed_total";

/// `GET /`: a greeting for browsers, or a WebSocket upgrade.
pub(crate) async fn upgrade(
    State(state): State<ApiState>,
    Extension(allowance): Extension<Allowance>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(WebSocketUpgradeRejection::InvalidConnectionHeader(_)) => {
            return GREETING.into_response();
        }
        Err(rejection) => return rejection.into_response(),
    };
    let Some(place) = state.sockets.take(&allowance) else {
        let detail = "too many WebSockets are open, in all or from this address";
        return Problem::new(Code::SocketsFull, detail).into_response();
    };
    let bytes_max = state.body_bytes_max;
    upgrade
        .max_message_size(bytes_max)
        .max_frame_size(bytes_max)
        .on_upgrade(move |socket| serve(socket, state, allowance, place))
}

/// Serves a connection until it closes or the node stops.
async fn serve(mut socket: WebSocket, state: ApiState, allowance: Allowance, _permit: QuotaPermit) {
    let ApiState { context, stop, .. } = state;
    let mut stopped = pin!(stop.cancelled_owned());
    let mut answers = FuturesUnordered::new();
    let connection = Arc::new(SocketConnection::default());
    let mut subscriptions = Subscriptions::default();
    let mut pings = interval(PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard_at = Instant::now();
    loop {
        let message = tokio::select! {
            () = &mut stopped => {
                let close = close_frame(close_code::AWAY, "the node is stopping");
                let _ = send(&mut socket, [close]).await;
                return;
            }
            received = socket.recv(), if answers.len() < FRAMES_IN_FLIGHT_MAX => {
                heard_at = Instant::now();
                match received {
                    // Some clients, web3.py among them, send JSON as bytes.
                    Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                        let (context, connection) = (Arc::clone(&context), Arc::clone(&connection));
                        let text = message.into_data();
                        answers.push(answer(context, allowance.clone(), connection, text));
                    }
                    // The library answers these.
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                }
                continue;
            }
            Some((answer, opened)) = answers.next() => {
                // Notifications follow this response, because no other message is sent before it.
                subscriptions.begin(opened);
                let Some(answer) = answer else { continue };
                Message::Text(answer.into())
            }
            () = subscriptions.ready() => match subscriptions.take(&connection, NOTIFICATIONS_STEP) {
                Ok(texts) => {
                    let messages = texts.into_iter().map(|text| Message::Text(text.into()));
                    if !send(&mut socket, messages).await {
                        return;
                    }
                    continue;
                }
                Err(missed) => {
                    counter!(MISSED_METRIC).increment(1);
                    close_for(&missed)
                }
            },
            _ = pings.tick() => {
                // At the limit of frames in flight the node does not read, so the client is not
                // silent.
                if heard_at.elapsed() > SILENCE_MAX && answers.len() < FRAMES_IN_FLIGHT_MAX {
                    return;
                }
                Message::Ping(Default::default())
            }
        };
        let is_last = matches!(message, Message::Close(_));
        if !send(&mut socket, [message]).await || is_last {
            return;
        }
    }
}

/// Sends messages. Returns false if the client has disconnected or does not read.
async fn send(socket: &mut WebSocket, messages: impl IntoIterator<Item = Message>) -> bool {
    let sending = async {
        for message in messages {
            socket.feed(message).await?;
        }
        socket.flush().await
    };
    matches!(timeout(SEND_TIMEOUT, sending).await, Ok(Ok(())))
}

fn close_frame(code: u16, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }))
}

/// The close frame for a client that missed notifications. The client must subscribe again.
fn close_for(missed: &MissedEvents) -> Message {
    match missed {
        MissedEvents::Lagged(_) => {
            close_frame(close_code::POLICY, "notifications were lost: the client reads too slowly")
        }
        MissedEvents::Lost => close_frame(
            close_code::RESTART,
            "a reorg removed blocks whose logs are no longer known: subscribe again",
        ),
    }
}

/// The response to a frame, if any, and the subscriptions that begin after it.
type FrameAnswer = (Option<String>, Vec<Subscription>);

fn answer(
    context: Arc<ApiContext>,
    allowance: Allowance,
    connection: Arc<SocketConnection>,
    text: Bytes,
) -> BoxFuture<'static, FrameAnswer> {
    Box::pin(async move {
        let frame = SocketFrame::new(connection);
        let reply = answer_text(&context, &allowance, &text, Some(&frame)).await;
        (reply.text, frame.into_opened())
    })
}
