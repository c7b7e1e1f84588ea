//! The Prometheus endpoint of a process.
//!
//! # Limits
//!
//! [`CONNECTIONS_MAX`] connections at a time, each for [`EXCHANGE_TIMEOUT`] at most.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use hyper::{Request, Response, StatusCode, body::Incoming, header, service::service_fn};
use hyper_util::rt::TokioIo;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tracing::info;

/// Longest time for a request and its response.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Most connections at the same time; others wait.
const CONNECTIONS_MAX: usize = 16;

/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Media type of Prometheus' text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Path of the metrics.
const PATH: &str = "/metrics";

/// Records this process's metrics and serves them at `address` until it ends.
pub(crate) async fn serve_metrics(address: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot serve metrics on {address}"))?;
    let handle = PrometheusBuilder::new()
        .install_recorder()
        .context("cannot install the metrics recorder")?;
    info!(address = %listener.local_addr()?, "serving metrics");
    tokio::spawn(async move {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let permit = Arc::clone(&permits).acquire_owned().await;
            let permit = permit.expect("invariant: the semaphore is never closed");
            let Ok((stream, _)) = listener.accept().await else {
                // For example, out of file descriptors until other connections close.
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let answered = answer_one(stream, handle.clone());
            tokio::spawn(async move {
                let _ = tokio::time::timeout(EXCHANGE_TIMEOUT, answered).await;
                drop(permit);
            });
        }
    });
    Ok(())
}

async fn answer_one(stream: TcpStream, handle: PrometheusHandle) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = respond(&request, &handle);
        async move { Ok::<_, Infallible>(response) }
    });
    // Nobody hears an error of a client that has gone.
    let _ = hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn respond(request: &Request<Incoming>, handle: &PrometheusHandle) -> Response<String> {
    let (status, body) = match request.uri().path() {
        PATH => {
            handle.run_upkeep();
            (StatusCode::OK, handle.render())
        }
        _ => (StatusCode::NOT_FOUND, format!("metrics are at {PATH}\n")),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let media_type = header::HeaderValue::from_static(TEXT_FORMAT);
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}
