//! Trie tests.

use alloy_primitives::{hex, keccak256};
use alloy_trie::{HashBuilder, Nibbles};
use serde_json::{Value, json};

pub(super) fn roots() -> Value {
    let entries = [("toll", "booth"), ("turn", "pike"), ("0x0102", "0x03"), ("turnpike", "t")];
    let bytes = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => hex::decode(digits).expect("hexadecimal"),
        None => text.as_bytes().to_vec(),
    };
    let root = |entries: &[(&str, &str)]| {
        let mut leaves: Vec<_> =
            entries.iter().map(|(key, value)| (keccak256(bytes(key)), bytes(value))).collect();
        leaves.sort();
        let mut builder = HashBuilder::default();
        for (key, value) in leaves {
            builder.add_leaf(Nibbles::unpack(key), &value);
        }
        builder.root()
    };
    json!({
        "anyOrder": {
            "in": Value::Object(entries.map(|(key, value)| (key.to_owned(), json!(value))).into_iter().collect()),
            "root": root(&entries),
        },
        "deleted": {
            "in": [["toll", "free"], ["toll", "booth"], ["gate", "closed"], ["gate", null]],
            "root": root(&entries[..1]),
        },
    })
}
