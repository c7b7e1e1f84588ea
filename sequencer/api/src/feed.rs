//! `GET /v1/feed?from=SEQUENCE`: the journal as a WebSocket stream, one row per binary frame,
//! without
//! gaps and without an end.
//!
//! ```text
//! journal ─► database ─► tail: newest rows, read once for all ─► client
//!                └──────────── older rows ───────────────────────►┘
//! ```
//!
//! Only durable rows are sent. A slow client is served from the database, so it never misses a row;
//! a
//! client that does not read at all is dropped. After a disconnect the client resumes at the row
//! after
//! its last one. It can verify that it missed none: each frame carries the row's checksum, which is
//! chained over all earlier rows.
//!
//! # Limits
//!
//! [`CLIENTS_MAX`] clients. The newest rows are read once and kept for all clients, up to
//! [`TAIL_ROWS_MAX`] rows and [`TAIL_BYTES_MAX`] bytes.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    extract::{
        Extension, Query, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, close_code, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderName, HeaderValue},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt as _;
use metrics::{counter, gauge};
use serde::Deserialize;
use tokio::{
    sync::{Mutex, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};
use turnpike_http::{Allowance, ClientQuota, QuotaPermit};
use turnpike_storage::{Database, StorageError};

use super::problem::{Code, Problem};

/// Clients at the same time.
const CLIENTS_MAX: usize = 64;

/// Rows beyond the journal's end that a client may ask for. It waits for them; a client that asks
/// for
/// more follows another journal.
const AHEAD_MAX: u64 = 4_096;

/// Rows read from the database at a time, for one client.
const ROWS_STEP: u32 = 32;

/// Newest rows that are kept for all clients, at most.
const TAIL_ROWS_MAX: usize = 4_096;

/// Bytes of them, at most.
const TAIL_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How long sending a frame may take before the client is dropped.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// Time between pings.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long a client may be silent before it is dropped.
const SILENCE_MAX: Duration = Duration::from_secs(35);

/// Longest message that a client may send: only pongs are expected.
const MESSAGE_BYTES_MAX: usize = 1_024;

/// Response header that names the chain.
pub const CHAIN_HEADER: &str = "turnpike-chain";

/// Gauge of clients and counter of rows sent.
const CLIENTS_METRIC: &str = "turnpike_sequencer_feed_clients";
const ROWS_METRIC: &str = "turnpike_sequencer_feed_rows_total";

/// Serves the journal to all clients that follow it.
#[derive(Debug)]
pub(crate) struct Feed {
    database: Arc<Database>,
    journal_end: watch::Receiver<u64>,
    clients: Arc<ClientQuota>,
    tail: Mutex<FeedTail>,
    stop: CancellationToken,
}

/// The newest rows, as frames.
#[derive(Debug, Default)]
struct FeedTail {
    /// Sequence number after the last frame.
    end: u64,
    frames: VecDeque<Bytes>,
    bytes: usize,
}

/// The query of a request.
#[derive(Debug, Deserialize)]
pub(super) struct FeedQuery {
    /// Sequence number of the first row.
    #[serde(default)]
    from: u64,
}

/// Why a client's stream ends.
#[derive(Debug, thiserror::Error)]
enum FeedEnd {
    #[error("the client went away")]
    Gone,
    #[error("the client does not read")]
    Slow,
    #[error("the node stops")]
    Stopping,
    #[error("the journal cannot be read: {0}")]
    Journal(#[from] StorageError),
}

/// Answers a request for the feed.
pub(super) async fn handle(
    State(feed): State<Arc<Feed>>,
    Extension(allowance): Extension<Allowance>,
    query: Result<Query<FeedQuery>, axum::extract::rejection::QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match feed.accept(&allowance, query.map(|query| query.0.from), upgrade) {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

impl Feed {
    pub(crate) fn new(
        database: Arc<Database>,
        journal_end: watch::Receiver<u64>,
        stop: CancellationToken,
    ) -> Self {
        let tail = FeedTail { end: *journal_end.borrow(), ..FeedTail::default() };
        let clients = ClientQuota::new(CLIENTS_MAX);
        Self { database, journal_end, clients, tail: Mutex::new(tail), stop }
    }

    fn accept(
        self: Arc<Self>,
        allowance: &Allowance,
        from: Result<u64, axum::extract::rejection::QueryRejection>,
        upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    ) -> Result<Response, Problem> {
        let from = from.map_err(|error| Problem::new(Code::MalformedQuery, error.body_text()))?;
        let upgrade = upgrade.map_err(|error| {
            let detail = format!("the feed is a WebSocket: {}", error.body_text());
            Problem::new(Code::UpgradeRequired, detail)
        })?;
        let end = *self.journal_end.borrow();
        if from > end.saturating_add(AHEAD_MAX) {
            let detail =
                format!("row {from} does not exist by far: the journal ends before row {end}");
            return Err(Problem::new(Code::CursorAhead, detail));
        }
        let place = self.clients.take(allowance).ok_or_else(|| {
            let detail = "too many clients follow the feed, in all or from this address";
            Problem::new(Code::FeedFull, detail)
        })?;
        let chain = HeaderValue::try_from(self.database.chain().to_string())
            .expect("invariant: a hash is a header value");
        let upgrade = upgrade
            .max_message_size(MESSAGE_BYTES_MAX)
            .max_frame_size(MESSAGE_BYTES_MAX)
            .write_buffer_size(0);
        let mut response = upgrade.on_upgrade(move |socket| self.serve(socket, from, place));
        response.headers_mut().insert(HeaderName::from_static(CHAIN_HEADER), chain);
        Ok(response)
    }

    async fn serve(self: Arc<Self>, mut socket: WebSocket, from: u64, permit: QuotaPermit) {
        gauge!(CLIENTS_METRIC).increment(1);
        let end = match self.stream(&mut socket, from).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        debug!(reason = %end, "feed client ended");
        let code = match &end {
            FeedEnd::Journal(found) => {
                error!(error = %found, "cannot serve the feed");
                Some(close_code::ERROR)
            }
            FeedEnd::Stopping => Some(close_code::AWAY),
            FeedEnd::Gone | FeedEnd::Slow => None,
        };
        if let Some(code) = code {
            let frame = CloseFrame { code, reason: reason(&end).into() };
            let _ = timeout(SEND_TIMEOUT, socket.send(Message::Close(Some(frame)))).await;
        }
        gauge!(CLIENTS_METRIC).decrement(1);
        drop(permit);
    }

    /// Sends rows from `next` on until the stream ends.
    async fn stream(
        &self,
        socket: &mut WebSocket,
        mut next: u64,
    ) -> Result<std::convert::Infallible, FeedEnd> {
        let mut journal_end = self.journal_end.clone();
        let mut pings = tokio::time::interval(PING_INTERVAL);
        let mut heard_at = Instant::now();
        loop {
            let is_behind = *journal_end.borrow_and_update() > next;
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(FeedEnd::Stopping),
                _ = pings.tick() => {
                    if heard_at.elapsed() > SILENCE_MAX {
                        return Err(FeedEnd::Slow);
                    }
                    send(socket, Message::Ping(Bytes::new())).await?;
                }
                received = socket.next() => match received {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(FeedEnd::Gone),
                    Some(Ok(_)) => heard_at = Instant::now(),
                },
                frames = self.frames(next), if is_behind => {
                    for frame in frames? {
                        send(socket, Message::Binary(frame)).await?;
                        next += 1;
                        counter!(ROWS_METRIC).increment(1);
                    }
                }
                changed = journal_end.changed(), if !is_behind => {
                    changed.map_err(|_| FeedEnd::Stopping)?;
                }
            }
        }
    }

    /// Some rows from `next` on, at least one. The journal must hold row `next`.
    async fn frames(&self, next: u64) -> Result<Vec<Bytes>, StorageError> {
        let mut tail = self.tail.lock().await;
        if let Some(frames) = tail.from(next) {
            return Ok(frames);
        }
        if next < tail.end {
            // An older row: other clients must not wait for this read.
            drop(tail);
            return self.read(next).await;
        }
        if next > tail.end {
            // A client that read older rows from the database may have passed the tail.
            *tail = FeedTail { end: next, ..FeedTail::default() };
        }
        let frames = self.read(next).await?;
        frames.iter().for_each(|frame| tail.push(frame.clone()));
        Ok(frames)
    }

    async fn read(&self, next: u64) -> Result<Vec<Bytes>, StorageError> {
        let rows = self.database.encoded_rows(next, ROWS_STEP).await?;
        Ok(rows.iter().map(|row| Bytes::from(row.to_bytes())).collect())
    }
}

impl FeedTail {
    /// Some rows from `next` on, if the tail holds that row.
    fn from(&self, next: u64) -> Option<Vec<Bytes>> {
        let back = usize::try_from(self.end.checked_sub(next)?).ok()?;
        let at = self.frames.len().checked_sub(back)?;
        let frames: Vec<_> =
            self.frames.iter().skip(at).take(ROWS_STEP as usize).cloned().collect();
        (!frames.is_empty()).then_some(frames)
    }

    fn push(&mut self, frame: Bytes) {
        self.end += 1;
        self.bytes += frame.len();
        self.frames.push_back(frame);
        while self.frames.len() > TAIL_ROWS_MAX || self.bytes > TAIL_BYTES_MAX {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.bytes -= oldest.len();
        }
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), FeedEnd> {
    let sent = timeout(SEND_TIMEOUT, socket.send(message)).await.map_err(|_| FeedEnd::Slow)?;
    sent.map_err(|_| FeedEnd::Gone)
}

/// The reason in a close frame, cut to the 123 bytes that fit.
fn reason(end: &FeedEnd) -> String {
    let mut text = end.to_string();
    while text.len() > 123 {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tail_restarts_at_a_client_beyond_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let location = folder.path().join("sequencer.db").into();
        let chain = alloy_primitives::B256::repeat_byte(1);
        let database = Arc::new(Database::open(&location, chain).await.expect("opens"));
        let row = turnpike_storage::JournalEntry::Slice(turnpike_storage::SliceEntry::default());
        database.append(&vec![row; 100]).await.expect("appends");
        let (_end, journal_end) = watch::channel(0);
        let feed = Feed::new(Arc::clone(&database), journal_end, CancellationToken::new());
        let frames = feed.frames(50).await.expect("reads");
        assert_eq!(feed.tail.lock().await.from(50), Some(frames), "read once for all");
        let end = 50 + u64::from(ROWS_STEP);
        assert_eq!(feed.tail.lock().await.end, end);
        let older = feed.frames(49).await.expect("reads");
        assert_eq!((older.len(), feed.tail.lock().await.end), (ROWS_STEP as usize, end));
    }

    #[test]
    fn tail_is_bounded() {
        let mut tail = FeedTail { end: 10, ..FeedTail::default() };
        assert_eq!((tail.from(9), tail.from(10), tail.from(11)), (None, None, None));
        for row in 10..10 + TAIL_ROWS_MAX as u64 + 5 {
            tail.push(Bytes::from(row.to_be_bytes().to_vec()));
        }
        assert_eq!(tail.frames.len(), TAIL_ROWS_MAX);
        assert_eq!(tail.from(14), None, "it went");
        let rows = tail.from(15).expect("is here");
        assert_eq!(rows.len(), ROWS_STEP as usize);
        assert_eq!(rows[0].as_ref(), 15u64.to_be_bytes());
        assert_eq!(tail.from(tail.end - 1).expect("is here").len(), 1);
        tail.push(Bytes::from(vec![0; TAIL_BYTES_MAX]));
        assert_eq!(tail.frames.len(), 1);
        tail.push(Bytes::from(vec![0; 1]));
        assert_eq!((tail.frames.len(), tail.bytes), (1, 1));
    }
}
