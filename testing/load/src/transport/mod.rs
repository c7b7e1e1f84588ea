//! Requests and answers, as bytes.
//!
//! Bodies are written straight from the signed bytes, into a buffer that a connection keeps; of answers no more is read than
//! whether each transaction was taken. Nothing builds a tree of JSON.

mod answer;
mod http;
mod request;

pub(crate) use self::{
    answer::{Refusal, read},
    http::HttpConnection,
    request::write,
};

/// What a request's body looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON-RPC request; with several transactions, a batch.
    JsonRpc,
    /// Turnpike's REST body: each transaction behind its length in four little-endian bytes.
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
