//! The accept loop: takes connections in, gives each request its place, and ends what takes too long.
//!
//! ```text
//! accept ─► connections: room? ─► stream: head, idle, reading ─► exchange: body ─► router
//!               └─ no ─► 503 or 429, and the end
//! ```

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Router,
    body::Body,
    http::{HeaderValue, StatusCode, header::CONNECTION},
    response::{IntoResponse as _, Response},
};
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{
    client::{Client, is_trusted},
    connections::{Connections, Full, Slot},
    exchange::{Download, Exchange, Upload},
    limits::{ApiLimits, Patience},
    problem::{Code, Problem},
    rate::Limiter,
    wire::Stream,
};

/// Connections that the system holds until they are accepted.
const BACKLOG: u32 = 4_096;

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Header fields of a request.
const HEADERS_MAX: usize = 64;

/// Bytes of a request's path and query.
const URI_BYTES_MAX: usize = 8 * 1024;

/// Bytes that are read or written at a time.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Connections without a place that are told so at the same time; others are closed without a word.
const REFUSALS_MAX: usize = 64;

/// How long telling them may take.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Seconds after which a client that found no room may try again.
const RETRY_SECONDS: u64 = 5;

/// Serves connections.
#[derive(Debug)]
struct Server {
    router: TowerToHyperService<Router>,
    http: http1::Builder,
    connections: Arc<Connections>,
    limiter: Arc<Limiter>,
    patience: Patience,
    /// Bytes of bodies that are held.
    held: Arc<AtomicUsize>,
    refusals: Arc<Semaphore>,
    stop: CancellationToken,
    /// Cancelled when nothing is waited for any more.
    end: CancellationToken,
}

/// Listens at an address.
pub(crate) fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let listen = || {
        let socket = socket?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().with_context(|| format!("cannot listen on {address}"))
}

/// Serves connections until `stop`, then lets requests under way finish.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: &ApiLimits,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (per_client, counts_loopback) = limits.per_address();
    let connections = Connections::new(limits.connections(), per_client);
    let mut http = http1::Builder::new();
    // Time is kept by the streams.
    http.header_read_timeout(None)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    let server = Arc::new(Server {
        router: TowerToHyperService::new(router),
        http,
        connections: Arc::clone(&connections),
        limiter: Limiter::new(limits),
        patience: limits.patience,
        held: Arc::default(),
        refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
        stop: stop.clone(),
        end: CancellationToken::new(),
    });
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, peer)) => {
                let is_proxy = is_trusted(peer.ip(), &limits.trusted_proxies);
                let client = Client::of(peer.ip());
                let is_spared = is_proxy || (client.is_loopback() && !counts_loopback);
                server.take(tcp, peer.ip(), (!is_spared).then_some(client));
            }
            Err(error) => {
                // Out of file descriptors, say: others will be closed.
                warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let _ = timeout(limits.patience.grace, connections.closed()).await;
    server.end.cancel();
    Ok(())
}

impl Server {
    /// Serves a connection if there is room for it.
    fn take(self: &Arc<Self>, tcp: TcpStream, peer: IpAddr, client: Option<Client>) {
        let _ = tcp.set_nodelay(true);
        match self.connections.admit(client) {
            Ok(slot) => {
                let server = Arc::clone(self);
                tokio::spawn(async move {
                    if let Err(error) = server.serve(tcp, peer, slot).await {
                        debug!(%peer, %error, "connection ended early");
                    }
                });
            }
            Err(full) => self.refuse(tcp, full),
        }
    }

    /// Serves a connection until it ends or has to; at the stop it finishes the request under way. A WebSocket that it has become
    /// ends by itself.
    async fn serve(
        self: Arc<Self>,
        tcp: TcpStream,
        peer: IpAddr,
        slot: Arc<Slot>,
    ) -> hyper::Result<()> {
        let stream = Stream::new(tcp, Arc::clone(&slot), self.patience);
        let evicted = slot.evicted.clone();
        let service = service_fn(|request| {
            let exchange = Exchange::begin(Arc::clone(&slot), Arc::clone(&self.held));
            let server = Arc::clone(&self);
            async move { server.answer(request, peer, exchange).await }
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection.with_upgrades());
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = evicted.cancelled() => return Ok(()),
            () = self.stop.cancelled() => {}
        }
        slot.close();
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection => ended,
            () = self.end.cancelled() => Ok(()),
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        exchange: Arc<Exchange>,
    ) -> Result<Response<Download>, Infallible> {
        let uri_bytes = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
        let mut response = if uri_bytes > URI_BYTES_MAX {
            let detail = format!("path and query of {uri_bytes} bytes, limit {URI_BYTES_MAX}");
            Problem::new(Code::UriTooLong, detail).into_response()
        } else {
            let upload = |body| Body::new(Upload::new(body, Arc::clone(&exchange), &self.patience));
            let mut request = request.map(upload);
            let allowance = self.limiter.allowance(peer, request.headers());
            request.extensions_mut().insert(allowance);
            match self.router.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        };
        if let Some(fault) = exchange.fault() {
            response = Problem::from(fault).into_response();
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            exchange.upgrade();
        }
        Ok(response.map(|body| Download::new(body, exchange)))
    }

    /// Tells a client that there is no room for it.
    fn refuse(&self, tcp: TcpStream, full: Full) {
        let metrics = &self.connections.metrics;
        let (refused, code, detail) = match full {
            Full::Everywhere => (
                &metrics.refused_full,
                Code::ConnectionsFull,
                "as many connections are open as the node can have",
            ),
            Full::ForClient => (
                &metrics.refused_client,
                Code::ConnectionsOfClient,
                "as many connections are open as this address may have",
            ),
        };
        refused.increment(1);
        let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() else { return };
        let problem = Problem::new(code, detail);
        tokio::spawn(async move {
            let _ = timeout(REFUSAL_TIMEOUT, tell(tcp, code.status(), &problem)).await;
            drop(permit);
        });
    }
}

/// Answers whatever is asked with a problem, and closes the connection.
async fn tell(mut tcp: TcpStream, status: StatusCode, problem: &Problem) -> std::io::Result<()> {
    // A connection that is closed with something unread in it is reset, and the answer may be lost.
    let mut asked = vec![0; HEAD_BYTES_MAX];
    let _ = tcp.read(&mut asked).await?;
    let body = serde_json::to_string(problem)?;
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nretry-after: {RETRY_SECONDS}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    tcp.write_all(head.as_bytes()).await?;
    tcp.write_all(body.as_bytes()).await?;
    tcp.shutdown().await
}

#[cfg(test)]
mod tests;
