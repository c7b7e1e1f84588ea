//! A journal source that reads another node's feed.
//!
//! # Limits
//!
//! Frames are bounded by `FRAME_BYTES_MAX`. A feed that is silent for too long counts as lost.

use std::time::Duration;

use alloy_primitives::B256;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};
use turnpike_storage::{EncodedRow, JournalRow};

use super::{
    Divergence,
    source::{JournalSource, SourceCursor, SourceError},
};
use turnpike_api::CHAIN_HEADER;

/// Time that a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A feed without any frame, not even a ping, for this long is lost.
const SILENCE_MAX: Duration = Duration::from_secs(35);

/// Longest frame. A node's intake between two commits bounds its rows.
const FRAME_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Rows returned at a time, at most.
const ROWS_STEP: usize = 256;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A source that reads another node's feed.
#[derive(Debug)]
pub(crate) struct FeedSource {
    url: String,
    chain: B256,
    cursor: SourceCursor,
    socket: Option<Socket>,
}

impl FeedSource {
    /// The feed at a node's WebSocket URL. The path is optional.
    pub(crate) fn new(url: &str, chain: B256, cursor: SourceCursor) -> Self {
        Self { url: feed_url(url), chain, cursor, socket: None }
    }

    fn take(&mut self, frame: &[u8]) -> Result<JournalRow, Divergence> {
        let SourceCursor { next, checksum } = self.cursor;
        let row = EncodedRow::from_bytes(frame)
            .map_err(|reason| Divergence::Row { sequence: next, reason })?;
        if row.sequence != next {
            return Err(Divergence::Sequence { expected: next, found: row.sequence });
        }
        let expected = row.checksum_after(checksum);
        if row.checksum != expected {
            return Err(Divergence::Checksum { sequence: next, expected, found: row.checksum });
        }
        self.cursor = SourceCursor { next: next + 1, checksum: row.checksum };
        row.decode().map_err(|reason| Divergence::Row { sequence: next, reason })
    }
}

impl JournalSource for FeedSource {
    async fn connect(&mut self, cursor: SourceCursor) -> Result<(), SourceError> {
        self.cursor = cursor;
        // Dropped before the next connection opens, because the node limits connections per client.
        self.socket = None;
        let config = WebSocketConfig::default()
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        let url = format!("{}?from={}", self.url, cursor.next);
        let connecting = connect_async_with_config(url, Some(config), true);
        let connected = timeout(CONNECT_TIMEOUT, connecting).await;
        let (socket, response) =
            connected.map_err(|_| lost("the source does not answer"))?.map_err(refusal)?;
        let chain = response.headers().get(CHAIN_HEADER).and_then(|chain| chain.to_str().ok());
        let found = chain.and_then(|chain| chain.parse::<B256>().ok());
        let found = found.ok_or_else(|| lost("the source does not name its chain"))?;
        if found != self.chain {
            return Err(SourceError::OtherChain { expected: self.chain, found });
        }
        self.socket = Some(socket);
        Ok(())
    }

    async fn next(&mut self) -> Result<Vec<JournalRow>, SourceError> {
        let mut rows = Vec::new();
        loop {
            let socket = self.socket.as_mut().ok_or_else(|| lost("the source is not connected"))?;
            let message = if rows.is_empty() {
                let next = timeout(SILENCE_MAX, socket.next()).await;
                next.map_err(|_| lost("the feed is silent"))?
            } else {
                // Takes the rows that have arrived already.
                match socket.next().now_or_never() {
                    Some(message) => message,
                    None => return Ok(rows),
                }
            };
            match message {
                Some(Ok(Message::Binary(frame))) => match self.take(&frame) {
                    Ok(row) => {
                        rows.push(row);
                        // Before the next frame is read, which would be lost on cancellation.
                        if rows.len() == ROWS_STEP {
                            return Ok(rows);
                        }
                    }
                    // The rows before it are valid.
                    Err(_) if !rows.is_empty() => {
                        self.socket = None;
                        return Ok(rows);
                    }
                    Err(divergence) => return Err(divergence.into()),
                },
                Some(Ok(Message::Close(frame))) => {
                    let reason = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                    return self.end(rows, lost(format!("the source closed the feed: {reason}")));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return self.end(rows, lost(error)),
                None => return self.end(rows, lost("the feed ended")),
            }
        }
    }

    fn cursor(&self) -> SourceCursor {
        self.cursor
    }
}

impl FeedSource {
    /// Returns the rows read before the error.
    fn end(
        &mut self,
        rows: Vec<JournalRow>,
        error: SourceError,
    ) -> Result<Vec<JournalRow>, SourceError> {
        self.socket = None;
        if rows.is_empty() { Err(error) } else { Ok(rows) }
    }
}

fn lost(reason: impl std::fmt::Display) -> SourceError {
    SourceError::Lost(reason.to_string())
}

/// The error of a node that does not serve its feed. It leaves out the URL, which may hold a key.
fn refusal(error: tungstenite::Error) -> SourceError {
    let tungstenite::Error::Http(response) = error else { return lost(error) };
    let body = response.body().as_deref().unwrap_or_default();
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let detail = problem.as_ref().and_then(|problem| problem["detail"].as_str());
    lost(format!(
        "the source replied {}: {}",
        response.status(),
        detail.unwrap_or("no reason given")
    ))
}

/// The URL of a node's feed: `/v1/feed`, unless the URL has a path.
fn feed_url(url: &str) -> String {
    let bare = url.trim_end_matches('/');
    let has_path = bare.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    if has_path { bare.into() } else { format!("{bare}/v1/feed") }
}

#[cfg(test)]
mod tests {
    use futures_util::SinkExt as _;
    use tokio::{net::TcpListener, sync::oneshot};
    use tokio_tungstenite::{
        accept_hdr_async,
        tungstenite::handshake::server::{Request, Response},
    };
    use turnpike_storage::{Database, JournalEntry, SliceEntry};

    use super::*;

    /// Serves frames to one client, signals that all are sent, and keeps the connection open until
    /// told to close it.
    async fn serve(
        listener: TcpListener,
        chain: B256,
        frames: Vec<Vec<u8>>,
        sent: oneshot::Sender<()>,
        go: oneshot::Receiver<()>,
    ) {
        let (stream, _) = listener.accept().await.expect("a client");
        #[expect(clippy::result_large_err, reason = "the library's")]
        let name = |_: &Request, mut response: Response| {
            let chain = chain.to_string().parse().expect("a header");
            response.headers_mut().insert(CHAIN_HEADER, chain);
            Ok(response)
        };
        let mut socket = accept_hdr_async(stream, name).await.expect("a WebSocket");
        for frame in frames {
            socket.send(Message::Binary(frame.into())).await.expect("sends");
        }
        sent.send(()).expect("waits");
        let _ = go.await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn frames_at_batch_end_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let chain = B256::repeat_byte(1);
        let location = folder.path().join("sequencer.db").into();
        let database = Database::open(&location, chain).await.expect("opens");
        let count = ROWS_STEP + 44;
        let row = JournalEntry::Slice(SliceEntry::default());
        database.append(&vec![row; count]).await.expect("appends");
        let rows = database.encoded_rows(0, 1_000).await.expect("reads");
        let frames = rows.iter().map(turnpike_storage::EncodedRow::to_bytes).collect();
        let checksum = database.checksum_before(0).await.expect("reads").expect("is known");

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("ws://{}", listener.local_addr().expect("bound"));
        let (sent, is_sent) = oneshot::channel();
        let (go, may_go) = oneshot::channel();
        let serving = tokio::spawn(serve(listener, chain, frames, sent, may_go));
        let cursor = SourceCursor { next: 0, checksum };
        let mut source = FeedSource::new(&url, chain, cursor);
        source.connect(cursor).await.expect("connects");
        is_sent.await.expect("all is sent");
        let mut found = Vec::new();
        while found.len() < count {
            found.extend(source.next().await.expect("they follow each other"));
        }
        let sequences: Vec<_> = found.iter().map(|row| row.sequence).collect();
        assert_eq!(sequences, (0..count as u64).collect::<Vec<_>>());
        go.send(()).expect("waits");
        serving.await.expect("ends");
    }

    #[test]
    fn node_url_is_completed_to_feed_url() {
        assert_eq!(feed_url("ws://host:1"), "ws://host:1/v1/feed");
        assert_eq!(feed_url("ws://host/"), "ws://host/v1/feed");
        assert_eq!(feed_url("ws://host/a/feed"), "ws://host/a/feed");
    }
}
