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

/// How long a client may take over a request and its answer.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections at the same time; others wait.
const CONNECTIONS_MAX: usize = 16;

/// Pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Media type of Prometheus' text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where the metrics are.
const PATH: &str = "/metrics";

/// Records this process's metrics and serves them at `address` for as long as it runs.
pub(crate) async fn serve_metrics(address: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot serve metrics on {address}"))?;
    let handle =
        PrometheusBuilder::new().install_recorder().context("metrics are recorded already")?;
    info!(address = %listener.local_addr()?, "metrics are served");
    tokio::spawn(async move {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let permit = Arc::clone(&permits).acquire_owned().await;
            let permit = permit.expect("invariant: the semaphore is never closed");
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors, say: others will be closed.
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
    // A client that goes away has nothing to be told.
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
