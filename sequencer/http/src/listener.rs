//! The accept loop: admits connections, serves their requests and closes slow ones.
//!
//! ```text
//! accept ─► connections: room? ─► timed stream: head, idle, write ─► request body ─► router
//!               └─ no ─► 503 or 429, close
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
    body::{Body, to_bytes},
    http::{
        HeaderValue, StatusCode,
        header::{CONNECTION, CONTENT_LENGTH},
    },
    response::Response,
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
    connections::{ConnectionGuard, Connections, NoRoom},
    limits::{HttpLimits, Timeouts},
    rate::RateLimiter,
    refusal::{RenderRefusal, ServerRefusal},
    request::{RequestBody, RequestGuard, ResponseBody},
    timed_stream::TimedStream,
};

/// Connections that the kernel queues until they are accepted.
const BACKLOG: u32 = 4_096;

/// Bytes of a request's head, at most.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Header fields of a request, at most.
const HEADERS_MAX: usize = 64;

/// Bytes of a request's path and query, at most.
const URI_BYTES_MAX: usize = 8 * 1024;

/// Bytes that are read or written at a time.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Refused connections that get a response at the same time. Others are closed without one.
const REFUSALS_MAX: usize = 64;

/// How long sending the response to a refused connection may take.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bytes of a rendered refusal, at most.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;

/// The server: what all its connections share.
#[derive(Debug)]
struct HttpServer {
    router: TowerToHyperService<Router>,
    render: RenderRefusal,
    http: http1::Builder,
    connections: Arc<Connections>,
    limiter: Arc<RateLimiter>,
    timeouts: Timeouts,
    /// Bytes of request bodies in memory.
    held: Arc<AtomicUsize>,
    refusals: Arc<Semaphore>,
    stop: CancellationToken,
    /// Cancelled when the grace period after the stop is over.
    end: CancellationToken,
}

/// Binds a listener to an address.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let listen = || {
        let socket = socket?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().with_context(|| format!("cannot listen on {address}"))
}

/// Serves connections until `stop`. Requests under way then have [`Timeouts::grace`] to finish.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    render: RenderRefusal,
    limits: &HttpLimits,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (per_client, counts_loopback) = limits.per_address();
    let connections = Connections::new(limits.connections(), per_client);
    let mut http = http1::Builder::new();
    // `TimedStream` enforces the timeouts.
    http.header_read_timeout(None)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    let server = Arc::new(HttpServer {
        router: TowerToHyperService::new(router),
        render,
        http,
        connections: Arc::clone(&connections),
        limiter: RateLimiter::new(limits),
        timeouts: limits.timeouts,
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
                server.accept(tcp, peer.ip(), (!is_spared).then_some(client));
            }
            Err(error) => {
                // The process may be out of file descriptors, which other connections free when
                // they close.
                warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let _ = timeout(limits.timeouts.grace, connections.closed()).await;
    server.end.cancel();
    Ok(())
}

impl HttpServer {
    /// Serves a connection if there is room for it.
    fn accept(self: &Arc<Self>, tcp: TcpStream, peer: IpAddr, client: Option<Client>) {
        let _ = tcp.set_nodelay(true);
        match self.connections.admit(client) {
            Ok(guard) => {
                let server = Arc::clone(self);
                tokio::spawn(async move {
                    if let Err(error) = server.serve(tcp, peer, guard).await {
                        debug!(%peer, %error, "connection ended early");
                    }
                });
            }
            Err(full) => self.refuse(tcp, full),
        }
    }

    /// Serves a connection until it ends or is evicted. After the stop it finishes the request
    /// under way. A WebSocket ends itself.
    async fn serve(
        self: Arc<Self>,
        tcp: TcpStream,
        peer: IpAddr,
        guard: Arc<ConnectionGuard>,
    ) -> hyper::Result<()> {
        let stream = TimedStream::new(tcp, Arc::clone(&guard), self.timeouts);
        let evicted = guard.evicted.clone();
        let service = service_fn(|request| {
            let request_guard = RequestGuard::begin(Arc::clone(&guard), Arc::clone(&self.held));
            let server = Arc::clone(&self);
            async move { server.respond(request, peer, request_guard).await }
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection.with_upgrades());
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = evicted.cancelled() => return Ok(()),
            () = self.stop.cancelled() => {}
        }
        guard.close();
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection => ended,
            () = self.end.cancelled() => Ok(()),
        }
    }

    async fn respond(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        request_guard: Arc<RequestGuard>,
    ) -> Result<Response<ResponseBody>, Infallible> {
        let uri_bytes = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
        let mut response = if uri_bytes > URI_BYTES_MAX {
            let (bytes, limit) = (uri_bytes, URI_BYTES_MAX);
            (self.render)(ServerRefusal::UriTooLong { bytes, limit })
        } else {
            let upload = |body| {
                Body::new(RequestBody::new(body, Arc::clone(&request_guard), &self.timeouts))
            };
            let mut request = request.map(upload);
            let allowance = self.limiter.allowance(peer, request.headers());
            request.extensions_mut().insert(allowance);
            match self.router.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        };
        if let Some(refusal) = request_guard.refusal() {
            response = (self.render)(refusal);
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            request_guard.upgrade();
        }
        Ok(response.map(|body| ResponseBody::new(body, request_guard)))
    }

    /// Answers a connection that finds no room, and closes it.
    fn refuse(&self, tcp: TcpStream, no_room: NoRoom) {
        let metrics = &self.connections.metrics;
        let (refused, refusal) = match no_room {
            NoRoom::Total => (&metrics.refused_full, ServerRefusal::ConnectionsFull),
            NoRoom::Client => (&metrics.refused_client, ServerRefusal::ConnectionsOfClient),
        };
        refused.increment(1);
        let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() else { return };
        let response = (self.render)(refusal);
        tokio::spawn(async move {
            let _ = timeout(REFUSAL_TIMEOUT, write_refusal(tcp, response)).await;
            drop(permit);
        });
    }
}

/// Reads what the client sent, writes the response and closes the connection.
async fn write_refusal(mut tcp: TcpStream, response: Response) -> anyhow::Result<()> {
    // Closing a connection with unread bytes resets it, and the response may be lost.
    let mut request = vec![0; HEAD_BYTES_MAX];
    let _ = tcp.read(&mut request).await?;
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, REFUSAL_BYTES_MAX).await?;
    let mut text = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    for (name, value) in parts.headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH) {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    let end = format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    text.extend_from_slice(end.as_bytes());
    text.extend_from_slice(&body);
    tcp.write_all(&text).await?;
    Ok(tcp.shutdown().await?)
}

#[cfg(test)]
mod tests;
