use std::time::Duration;

use alloy::sol_types::{Panic, Revert, SolError as _};
use alloy_primitives::{B256, Bytes, U256};
use serde_json::{Value, json, value::RawValue};
use turnpike_http::RateExceeded;
use turnpike_storage::StorageError;

use crate::message_passer::PasserError;
use turnpike_sequencer::Refusal;

/// Code of a failed request that is well formed, refused transactions included.
const SERVER_ERROR: i64 = -32_000;

/// Code of a request above the client's rate limit (EIP-1474).
const LIMIT_EXCEEDED: i64 = -32_005;

/// The result of a method.
pub(super) type RpcResult = Result<Value, RpcError>;

/// A JSON-RPC error. Codes and texts are geth's.
#[derive(Clone, Debug)]
pub(crate) struct RpcError {
    code: i64,
    message: String,
    data: Option<Bytes>,
}

impl RpcError {
    /// An error with the given code.
    pub(crate) const fn new(code: i64, message: String) -> Self {
        Self { code, message, data: None }
    }

    /// Its text.
    pub(crate) fn into_message(self) -> String {
        self.message
    }

    /// Its code.
    #[cfg(test)]
    pub(crate) const fn code(&self) -> i64 {
        self.code
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
        Self::new(SERVER_ERROR, message.into())
    }

    /// Whether a transaction was refused, rather than something wrong with the request.
    pub(super) const fn is_refusal(&self) -> bool {
        self.code == SERVER_ERROR
    }

    /// The result would be too large. Other nodes use this code, and clients match on it.
    pub(crate) fn limit_exceeded(message: impl Into<String>) -> Self {
        Self::new(-32005, message.into())
    }

    /// The client's connection cannot carry notifications.
    pub(crate) fn notifications_unsupported() -> Self {
        Self::new(-32601, "notifications not supported".to_owned())
    }

    pub(crate) fn unknown_subscription(kind: &str) -> Self {
        Self::new(-32601, format!("no {kind:?} subscription in eth namespace"))
    }

    /// The answers of a batch together are too long.
    pub(crate) fn response_too_large() -> Self {
        Self::new(-32003, "response too large".to_owned())
    }

    /// A reverted call: the reason as text if the data decodes to one, and always the data.
    pub(crate) fn reverted(output: Bytes) -> Self {
        let revert = Revert::abi_decode(&output).map(|revert| revert.reason().to_owned());
        let reason =
            revert.or_else(|_| Panic::abi_decode(&output).map(|panic| panic_text(panic.code)));
        let message = match reason {
            Ok(reason) => format!("execution reverted: {reason}"),
            Err(_) => "execution reverted".to_owned(),
        };
        Self { code: 3, message, data: Some(output) }
    }

    /// EIP-7966: the transaction was accepted and is in no block yet.
    pub(crate) fn timed_out(hash: B256, limit: Duration) -> Self {
        let message = format!(
            "the transaction was added to the mempool but wasn't processed in {} ms",
            limit.as_millis()
        );
        Self { code: 4, message, data: Some(hash.into()) }
    }

    /// EIP-7966: the transaction was accepted and cannot run, because a transaction with the nonce
    /// `missing` has not arrived.
    pub(crate) fn unready(hash: B256, missing: u64) -> Self {
        let message = format!(
            "the transaction was added to the mempool but wasn't processed: the nonce {missing} is missing before its own"
        );
        Self { code: 5, message, data: Some(hash.into()) }
    }

    /// The response with this error to a request.
    pub(super) fn answered(self, id: Option<&RawValue>) -> String {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(data) = self.data {
            error["data"] = json!(data);
        }
        format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, id_text(id))
    }
}

/// A request's id as JSON text.
pub(super) fn id_text(id: Option<&RawValue>) -> &str {
    id.map_or("null", RawValue::get)
}

impl From<Refusal> for RpcError {
    fn from(refusal: Refusal) -> Self {
        Self::server(refusal.to_string())
    }
}

impl From<RateExceeded> for RpcError {
    fn from(exceeded: RateExceeded) -> Self {
        Self::new(LIMIT_EXCEEDED, exceeded.to_string())
    }
}

impl From<StorageError> for RpcError {
    fn from(error: StorageError) -> Self {
        if matches!(error, StorageError::Busy) {
            return Self::limit_exceeded(error.to_string());
        }
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

/// geth's texts for Solidity's panic codes.
fn panic_text(code: U256) -> String {
    let known = match u8::try_from(code) {
        Ok(0x00) => "generic panic",
        Ok(0x01) => "assert(false)",
        Ok(0x11) => "arithmetic underflow or overflow",
        Ok(0x12) => "division or modulo by zero",
        Ok(0x21) => "enum overflow",
        Ok(0x22) => "invalid encoded storage byte array accessed",
        Ok(0x31) => "out-of-bounds array access; popping on an empty array",
        Ok(0x32) => "out-of-bounds access of an array or bytesN",
        Ok(0x41) => "out of memory",
        Ok(0x51) => "uninitialized function",
        _ => return format!("unknown panic code: {code:#x}"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revert_texts_match_geth() {
        let revert = Revert::from("no funds").abi_encode();
        let panic = |code: u16| Panic { code: U256::from(code) }.abi_encode();
        for (output, text) in [
            (revert, "execution reverted: no funds"),
            (panic(0x11), "execution reverted: arithmetic underflow or overflow"),
            (panic(0x01), "execution reverted: assert(false)"),
            (panic(0x1ff), "execution reverted: unknown panic code: 0x1ff"),
            (vec![1, 2, 3, 4], "execution reverted"),
            (Vec::new(), "execution reverted"),
        ] {
            let error = RpcError::reverted(output.clone().into());
            assert_eq!((error.code, &*error.message, error.data), (3, text, Some(output.into())));
        }
    }
}
