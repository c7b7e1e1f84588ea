//! Writes request bodies.

use std::io::Write as _;

use alloy_primitives::hex;

use super::Format;

/// Writes a request's body with these transactions and their ids. Bulk bodies omit the ids: their
/// answers come in order.
pub(crate) fn write<'a>(
    format: Format,
    transactions: impl ExactSizeIterator<Item = (u32, &'a [u8])>,
    body: &mut Vec<u8>,
) {
    body.clear();
    match format {
        Format::Bulk => {
            for (_, raw) in transactions {
                let length = u32::try_from(raw.len());
                let length = length.expect("invariant: a transaction is much shorter than 4 GiB");
                body.extend_from_slice(&length.to_le_bytes());
                body.extend_from_slice(raw);
            }
        }
        Format::JsonRpc if transactions.len() == 1 => write_calls(transactions, body),
        Format::JsonRpc => {
            body.push(b'[');
            write_calls(transactions, body);
            body.push(b']');
        }
    }
}

fn write_calls<'a>(transactions: impl Iterator<Item = (u32, &'a [u8])>, body: &mut Vec<u8>) {
    for (place, (id, raw)) in transactions.enumerate() {
        if place > 0 {
            body.push(b',');
        }
        body.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        write!(body, "{id}").expect("invariant: memory takes every byte");
        body.extend_from_slice(br#","method":"eth_sendRawTransaction","params":["0x"#);
        let start = body.len();
        body.resize(start + 2 * raw.len(), 0);
        hex::encode_to_slice(raw, &mut body[start..]).expect("invariant: there is room for it");
        body.extend_from_slice(br#""]}"#);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(format: Format, transactions: &[(u32, &[u8])]) -> Vec<u8> {
        let mut body = b"left over".to_vec();
        write(format, transactions.iter().copied(), &mut body);
        body
    }

    #[test]
    fn one_transaction_is_a_request_and_several_are_a_batch() {
        let one =
            r#"{"jsonrpc":"2.0","id":7,"method":"eth_sendRawTransaction","params":["0x02ff"]}"#;
        assert_eq!(body(Format::JsonRpc, &[(7, &[2, 0xff])]), one.as_bytes());
        let batch = body(Format::JsonRpc, &[(7, &[2, 0xff]), (8, &[1])]);
        let batch: Vec<serde_json::Value> = serde_json::from_slice(&batch).unwrap();
        assert_eq!(batch[0], serde_json::from_str::<serde_json::Value>(one).unwrap());
        assert_eq!((&batch[1]["id"], &batch[1]["params"][0]), (&8.into(), &"0x01".into()));
    }

    #[test]
    fn bulk_body_has_lengths() {
        assert_eq!(
            body(Format::Bulk, &[(0, &[9, 8]), (1, &[7])]),
            [2, 0, 0, 0, 9, 8, 1, 0, 0, 0, 7]
        );
    }
}
