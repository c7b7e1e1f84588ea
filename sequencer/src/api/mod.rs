//! The HTTP API: one listener, JSON-RPC at `POST /`, REST below `/v1`.

mod listener;
mod problem;
mod rest;
mod rpc;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Shared;

/// What a browser that finds the port is told.
const GREETING: &str =
    "Turnpike sequencer. JSON-RPC: POST /. REST: /v1/status, /v1/blocks/{id}, /v1/transactions.\n";

/// Serves the API until `stop`; requests under way are finished.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    body_bytes_max: usize,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/", post(rpc::handle).get(async || GREETING))
        .route("/v1/transactions", post(rest::submit))
        .route("/v1/transactions/{hash}", get(rest::transaction))
        .route("/v1/blocks/{id}", get(rest::block))
        .route("/v1/status", get(rest::status))
        .fallback(rest::not_found)
        .method_not_allowed_fallback(rest::method_not_allowed)
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .with_state(shared);
    listener::serve(listener, router, stop).await
}
