use std::{convert::Infallible, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use hyper::{Request, Response, StatusCode, body::Incoming, header, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, TcpStream};
use tracing::info;

/// How long a client may take over a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Media type of Prometheus' text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where the metrics are.
const PATH: &str = "/metrics";

/// Records this process's metrics and serves them at `address` for as long as it runs.
pub(crate) async fn serve(address: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot serve metrics on {address}"))?;
    let handle =
        PrometheusBuilder::new().install_recorder().context("metrics are recorded already")?;
    info!(address = %listener.local_addr()?, "metrics are served");
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors, say: others will be closed.
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // One at a time: who asks slowly has five seconds.
            let answered = answer_one(stream, handle.clone());
            let _ = tokio::time::timeout(HEAD_TIMEOUT, answered).await;
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
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
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
