use axum::response::Response;

/// Seconds after which a client without a free connection may try again.
const CONNECTION_RETRY_SECONDS: u64 = 5;

/// Seconds after which a client may send a body again for which there was no memory.
const BODY_RETRY_SECONDS: u64 = 1;

/// A connection or request that the server refuses without asking the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerRefusal {
    /// All connections are in use, and none of them is idle.
    #[error("the node has its maximum of connections")]
    ConnectionsFull,
    /// The client has as many connections as one client may have.
    #[error("this address has its maximum of connections")]
    ConnectionsOfClient,
    /// Path and query are too long.
    #[error("path and query of {bytes} bytes, limit {limit}")]
    UriTooLong {
        /// Bytes of path and query.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The request's body arrives too slowly.
    #[error("the client sends the body too slowly")]
    SlowBody,
    /// The bodies of all requests together take too much memory.
    #[error("too many large requests at the same time")]
    BodiesFull,
}

/// Renders a refusal as the response that the client gets.
pub type RenderRefusal = fn(ServerRefusal) -> Response;

impl ServerRefusal {
    /// Seconds after which the client may try again, if that can help.
    pub const fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::ConnectionsFull | Self::ConnectionsOfClient => Some(CONNECTION_RETRY_SECONDS),
            Self::BodiesFull => Some(BODY_RETRY_SECONDS),
            Self::UriTooLong { .. } | Self::SlowBody => None,
        }
    }
}
