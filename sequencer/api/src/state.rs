//! The state of all handlers. Each handler extracts the part that it uses.

use std::sync::Arc;

use axum::extract::FromRef;
use tokio_util::sync::CancellationToken;
use turnpike_http::ClientQuota;

use super::{context::ApiContext, feed::Feed, l1_queries::L1Queries, stream::Streams};

/// The state of all handlers.
#[derive(Clone, Debug)]
pub(super) struct ApiState {
    pub(super) context: Arc<ApiContext>,
    pub(super) l1: Arc<L1Queries>,
    /// Permits for WebSockets.
    pub(super) sockets: Arc<ClientQuota>,
    /// Longest request, in bytes.
    pub(super) body_bytes_max: usize,
    /// Cancelled when the node stops.
    pub(super) stop: CancellationToken,
    pub(super) feed: Arc<Feed>,
    pub(super) streams: Arc<Streams>,
}

impl FromRef<ApiState> for Arc<ApiContext> {
    fn from_ref(state: &ApiState) -> Self {
        Self::clone(&state.context)
    }
}

impl FromRef<ApiState> for Arc<L1Queries> {
    fn from_ref(state: &ApiState) -> Self {
        Self::clone(&state.l1)
    }
}

impl FromRef<ApiState> for Arc<Feed> {
    fn from_ref(state: &ApiState) -> Self {
        Self::clone(&state.feed)
    }
}

impl FromRef<ApiState> for Arc<Streams> {
    fn from_ref(state: &ApiState) -> Self {
        Self::clone(&state.streams)
    }
}
