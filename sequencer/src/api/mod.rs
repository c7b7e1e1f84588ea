//! The HTTP API: one listener, JSON-RPC at `POST /`, REST below `/v1`.

mod l1;
mod listener;
mod passer;
mod problem;
mod rest;
mod rpc;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef},
    routing::post,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use turnpike_l1::L1Client;

use self::l1::L1Desk;
use crate::Shared;

/// What a browser that finds the port is told.
const GREETING: &str = "Turnpike sequencer. JSON-RPC: POST /. REST: /v1/status, /v1/blocks/{id}, /v1/transactions, \
     /v1/batches, /v1/outputs, /v1/deposits/{index}, /v1/withdrawals/{hash}, /v1/forced.\n";

/// What requests are answered from.
#[derive(Clone, Debug)]
struct ApiState {
    shared: Arc<Shared>,
    l1: Arc<L1Desk>,
}

impl FromRef<ApiState> for Arc<Shared> {
    fn from_ref(state: &ApiState) -> Self {
        Self::clone(&state.shared)
    }
}

impl FromRef<ApiState> for Arc<L1Desk> {
    fn from_ref(state: &ApiState) -> Self {
        Self::clone(&state.l1)
    }
}

/// Serves the API until `stop`; requests under way are finished.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    l1: L1Client,
    body_bytes_max: usize,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/", post(rpc::handle).get(async || GREETING))
        .merge(rest::routes())
        .fallback(rest::not_found)
        .method_not_allowed_fallback(rest::method_not_allowed)
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .with_state(ApiState { shared, l1: Arc::new(L1Desk::new(l1)) });
    listener::serve(listener, router, stop).await
}
