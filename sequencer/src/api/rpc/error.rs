use alloy::sol_types::{Revert, SolError as _};
use alloy_primitives::Bytes;
use serde_json::{Value, json};
use turnpike_storage::StorageError;

use crate::{Refusal, api::passer::PasserError};

/// An error as JSON-RPC answers it. Codes and texts are geth's.
#[derive(Clone, Debug)]
pub(crate) struct RpcError {
    code: i64,
    message: String,
    data: Option<Bytes>,
}

impl RpcError {
    const fn new(code: i64, message: String) -> Self {
        Self { code, message, data: None }
    }

    pub(crate) fn parse(error: &serde_json::Error) -> Self {
        Self::new(-32700, format!("parse error: {error}"))
    }

    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(-32600, message.into())
    }

    pub(crate) fn unknown_method(method: &str) -> Self {
        Self::new(-32601, format!("the method {method} does not exist/is not available"))
    }

    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(-32602, message.into())
    }

    pub(crate) fn server(message: impl Into<String>) -> Self {
        Self::new(-32000, message.into())
    }

    /// The answers of a batch together have become too long.
    pub(crate) fn response_too_large() -> Self {
        Self::new(-32003, "response too large".to_owned())
    }

    /// A call that reverted: the reason in words where it is one, the data in any case.
    pub(crate) fn reverted(output: Bytes) -> Self {
        let message = match Revert::abi_decode(&output) {
            Ok(revert) => format!("execution reverted: {}", revert.reason()),
            Err(_) => "execution reverted".to_owned(),
        };
        Self { code: 3, message, data: Some(output) }
    }

    pub(crate) fn response(self, id: Value) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(data) = self.data {
            error["data"] = json!(data);
        }
        json!({ "jsonrpc": "2.0", "id": id, "error": error })
    }
}

impl From<Refusal> for RpcError {
    fn from(refusal: Refusal) -> Self {
        Self::server(refusal.to_string())
    }
}

impl From<StorageError> for RpcError {
    fn from(error: StorageError) -> Self {
        tracing::error!(%error, "request failed");
        Self::new(-32603, "internal error".to_owned())
    }
}

impl From<PasserError> for RpcError {
    fn from(error: PasserError) -> Self {
        tracing::error!(%error, "request failed");
        Self::new(-32603, "internal error".to_owned())
    }
}
