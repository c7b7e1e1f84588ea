use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn,
    routing::{get, post},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::cors::CorsLayer;
use turnpike_http::{ClientQuota, HttpLimits};
use turnpike_l1::L1Client;

use super::{
    context::ApiContext,
    feed::{self, Feed},
    health,
    l1_queries::L1Queries,
    openapi,
    problem::{self, render_refusal},
    rest, rpc,
    state::ApiState,
    stream::Streams,
};

/// WebSockets open at the same time, and at most half of all connections.
const SOCKETS_MAX: usize = 1_024;

/// Serves the API until `stop`. Requests under way are finished.
pub(super) async fn serve(
    listener: TcpListener,
    context: Arc<ApiContext>,
    l1: L1Client,
    limits: HttpLimits,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let journal_end = context.chain.journal_end.clone();
    let feed =
        Arc::new(Feed::new(Arc::clone(&context.chain.client_database), journal_end, stop.clone()));
    let health = health::routes(Arc::clone(&context), stop.clone());
    let sockets_max = SOCKETS_MAX.min(limits.connections().div_ceil(2));
    let router = Router::new()
        .route("/", post(rpc::handle).get(rpc::upgrade))
        .merge(openapi::routes().route("/v1/feed", get(feed::handle)).layer(from_fn(rest::charge)))
        .route("/problems/{code}", get(problem::explain))
        .merge(health)
        .fallback(rest::not_found)
        .method_not_allowed_fallback(rest::method_not_allowed)
        .layer(DefaultBodyLimit::max(limits.body_bytes()))
        // Wallets' pages call from any origin, and no response depends on the origin.
        .layer(CorsLayer::permissive())
        .with_state(ApiState {
            streams: Arc::new(Streams::new(Arc::clone(&context), stop.clone())),
            context,
            l1: Arc::new(L1Queries::new(l1)),
            feed,
            sockets: ClientQuota::new(sockets_max),
            body_bytes_max: limits.body_bytes(),
            stop: stop.clone(),
        });
    turnpike_http::serve(listener, router, render_refusal, &limits, stop).await
}
