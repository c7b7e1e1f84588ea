//! What a request costs its client.

use super::{registry, request::Request, send::submits};
use crate::costs::submitted_units;

/// Cost of a request in units. A submitted transaction's bytes, two digits each, are charged before
/// they are written.
pub(super) fn cost(request: &Request<'_>) -> u32 {
    let bytes = if submits(request) { request.params_bytes() / 2 } else { 0 };
    registry::cost(&request.method).saturating_add(submitted_units(bytes))
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Bytes;
    use serde_json::{json, value::to_raw_value};

    use super::*;

    #[test]
    fn submitted_bytes_are_charged() {
        let cost = |method: &str, bytes: usize| {
            let raw = Bytes::from(vec![7; bytes]);
            let text = to_raw_value(&json!({ "method": method, "params": [raw] }));
            cost(&Request::parse(&text.expect("is JSON")).expect("is a request"))
        };
        for method in ["eth_sendRawTransaction", "eth_sendRawTransactionSync"] {
            assert_eq!(cost(method, 110), registry::cost(method));
            assert_eq!(cost(method, 128 * 1_000), registry::cost(method) + 1_000);
        }
        assert_eq!(cost("eth_call", 128 * 1_000), registry::cost("eth_call"));
    }
}
