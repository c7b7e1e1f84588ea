//! Writes requests and parses responses as bytes.
//!
//! Bodies are written directly from the signed bytes into a buffer that the connection keeps.
//! Responses are parsed only for the outcome of each transaction, without a tree of JSON values.

mod answer;
mod http;
mod request;

pub(crate) use self::{
    answer::{Refusal, read},
    http::HttpConnection,
    request::write,
};

/// Format of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON-RPC request; with several transactions, a batch.
    JsonRpc,
    /// Turnpike's REST body: each transaction preceded by its length in four little-endian bytes.
    Bulk,
}

impl Format {
    /// The media type of requests.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::JsonRpc => "application/json",
            Self::Bulk => "application/octet-stream",
        }
    }
}
