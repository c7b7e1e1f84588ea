use axum::{
    Json,
    extract::Path,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use turnpike_http::{RateExceeded, ServerRefusal};
use utoipa::ToSchema;

use turnpike_sequencer::Refusal;

/// Media type of a problem document.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// An error as REST answers it: an RFC 9457 problem document.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(examples(json!({
    "type": "/problems/not-found",
    "title": "Not Found",
    "status": 404,
    "detail": "block 999999 is unknown",
    "code": "not-found",
})))]
pub(crate) struct Problem {
    /// Where the problem is explained, relative to the node: `/problems/` and the code.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference")]
    kind: String,
    /// The status in words.
    #[schema(value_type = String)]
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// A stable name for programs.
    #[schema(value_type = String)]
    code: &'static str,
    /// Seconds after which the client may try again.
    #[serde(skip)]
    retry_after: Option<u64>,
}

/// Code, status and meaning of each problem that is not a refused transaction. One line each, so
/// that none is forgotten.
macro_rules! problem_codes {
    ($($name:ident => $code:literal, $status:ident, $meaning:literal;)*) => {
        /// What went wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            const ALL: &[Self] = &[$(Self::$name,)*];

            const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            pub(super) const fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)*
                }
            }

            const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                }
            }
        }
    };
}

problem_codes! {
    MalformedPath => "malformed-path", BAD_REQUEST, "The path is not UTF-8.";
    MalformedQuery => "malformed-query", BAD_REQUEST, "The query has an unknown parameter, a repeated parameter or an invalid value.";
    MalformedHash => "malformed-hash", BAD_REQUEST, "A hash is not `0x` and 32 bytes in hexadecimal.";
    MalformedAddress => "malformed-address", BAD_REQUEST, "An address is not `0x` and 20 bytes in hexadecimal.";
    MalformedIndex => "malformed-index", BAD_REQUEST, "The index at the end of the path is not a number.";
    MalformedBlock => "malformed-block", BAD_REQUEST, "A block id is not a number, a hash, `latest`, `safe` or `finalized`.";
    MalformedCursor => "malformed-cursor", BAD_REQUEST, "The header Last-Event-ID is not an id of this stream.";
    MalformedJson => "malformed-json", BAD_REQUEST, "The body is not the expected JSON.";
    Truncated => "truncated", BAD_REQUEST, "A bulk body ends within a transaction.";
    UnreadableBody => "unreadable-body", BAD_REQUEST, "Reading the body failed.";
    NotFound => "not-found", NOT_FOUND, "The path does not exist, or the node does not know the object that the path names.";
    MethodNotAllowed => "method-not-allowed", METHOD_NOT_ALLOWED, "The path does not take this method. The header Allow lists the methods that it takes.";
    TooLarge => "oversized", PAYLOAD_TOO_LARGE, "The body, or a transaction, is longer than allowed.";
    TooManyTransactions => "too-many-transactions", PAYLOAD_TOO_LARGE, "The body holds more transactions than one request may hold.";
    MediaType => "media-type", UNSUPPORTED_MEDIA_TYPE, "The path does not take the body's media type.";
    CursorAhead => "cursor-ahead", RANGE_NOT_SATISFIABLE, "The requested first row is far beyond the journal's end.";
    Refused => "refused", UNPROCESSABLE_ENTITY, "The transaction was accepted and refused later. The detail has the reason.";
    UpgradeRequired => "upgrade-required", UPGRADE_REQUIRED, "The path serves only WebSockets.";
    SlowBody => "slow-body", REQUEST_TIMEOUT, "The client sends the body too slowly.";
    Busy => "busy", SERVICE_UNAVAILABLE, "The node handles as many requests as it can. The header Retry-After says when to try again.";
    UriTooLong => "uri-too-long", URI_TOO_LONG, "Path and query together are too long.";
    Unauthorized => "unauthorized", UNAUTHORIZED, "The administrator's token is missing, expired or not signed with the secret.";
    RateLimited => "rate-limited", TOO_MANY_REQUESTS, "The client has exceeded its rate limit. The header Retry-After says when to try again.";
    ConnectionsOfClient => "too-many-connections", TOO_MANY_REQUESTS, "The client's address has its maximum of connections.";
    ConnectionsFull => "connections-full", SERVICE_UNAVAILABLE, "The node has its maximum of connections.";
    Internal => "internal", INTERNAL_SERVER_ERROR, "The node failed to answer. Its log has the reason.";
    L1Unreachable => "l1-unreachable", BAD_GATEWAY, "The answer needs L1, and L1 does not answer.";
    FeedFull => "feed-full", SERVICE_UNAVAILABLE, "The feed has its maximum of clients.";
    SocketsFull => "sockets-full", SERVICE_UNAVAILABLE, "The node has its maximum of WebSockets.";
    StreamsFull => "streams-full", SERVICE_UNAVAILABLE, "The node has its maximum of event streams.";
}

/// The explanation of a problem's code.
#[derive(Debug, Serialize)]
pub(crate) struct Explanation {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    meaning: &'static str,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self::with(code.name(), code.status(), detail.into())
    }

    fn with(code: &'static str, status: StatusCode, detail: String) -> Self {
        Self {
            kind: format!("/problems/{code}"),
            title: status.canonical_reason().unwrap_or("error"),
            status: status.as_u16(),
            detail,
            code,
            retry_after: None,
        }
    }

    /// Sets the seconds after which the client may try again.
    pub(crate) const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Code::NotFound, detail)
    }

    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "request failed");
        Self::new(Code::Internal, "the request failed in the node")
    }
}

/// `GET /problems/{code}`: explains a problem. A problem document's `type` links here.
pub(crate) async fn explain(path: Option<Path<String>>) -> Result<Json<Explanation>, Problem> {
    let name = path.map_or_else(String::new, |Path(name)| name);
    let found = Code::ALL.iter().find(|code| code.name() == name);
    let (code, status, meaning) = match found {
        Some(code) => (code.name(), code.status(), code.meaning()),
        None => {
            let found = Refusal::codes().find(|(code, _)| *code == name);
            let (code, status) =
                found.ok_or_else(|| Problem::not_found("there is no problem with this code"))?;
            (code, status, "The transaction is refused. The detail has the reason.")
        }
    };
    Ok(Json(Explanation {
        kind: format!("/problems/{code}"),
        title: status.canonical_reason().unwrap_or("error"),
        status: status.as_u16(),
        code,
        meaning,
    }))
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        Self::with(refusal.code(), refusal.status(), refusal.to_string())
    }
}

impl From<ServerRefusal> for Problem {
    fn from(refusal: ServerRefusal) -> Self {
        let code = match refusal {
            ServerRefusal::ConnectionsFull => Code::ConnectionsFull,
            ServerRefusal::ConnectionsOfClient => Code::ConnectionsOfClient,
            ServerRefusal::UriTooLong { .. } => Code::UriTooLong,
            ServerRefusal::SlowBody => Code::SlowBody,
            ServerRefusal::BodiesFull => Code::Busy,
            _ => Code::Internal,
        };
        let retry_after = refusal.retry_after_seconds();
        Self { retry_after, ..Self::new(code, refusal.to_string()) }
    }
}

/// Renders what the HTTP server refuses as a problem document.
pub(super) fn render_refusal(refusal: ServerRefusal) -> Response {
    Problem::from(refusal).into_response()
}

impl From<RateExceeded> for Problem {
    fn from(exceeded: RateExceeded) -> Self {
        Self::new(Code::RateLimited, exceeded.to_string()).retry_after(exceeded.seconds())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The expected content of `problems.md`.
    fn table() -> String {
        let mut table = String::from("| code | HTTP | meaning |\n|---|---|---|\n");
        for code in Code::ALL {
            let (name, status, meaning) = (code.name(), code.status().as_u16(), code.meaning());
            table.push_str(&format!("| `{name}` | {status} | {meaning} |\n"));
        }
        table.push_str("\nA refused transaction has a code of [refusals.md](../refusals.md).\n");
        table
    }

    #[test]
    fn documented_table_lists_every_problem() {
        crate::documented_table::assert_documented("problems.md", &table());
    }

    #[test]
    fn each_code_has_one_status() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for (code, status) in Refusal::codes() {
            if let Some(same) = Code::ALL.iter().find(|other| other.name() == code) {
                assert_eq!(same.status(), status, "{code}");
            }
        }
    }
}
