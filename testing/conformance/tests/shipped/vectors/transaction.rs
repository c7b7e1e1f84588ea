//! Transaction tests.

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Bytes, Signature, TxKind, U256, uint};
use serde_json::{Value, json};

use super::{RECIPIENT, legacy, sender, signed};

const SECP256K1_N: U256 =
    uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

pub(super) fn signatures() -> Value {
    let forks = ["Frontier", "Homestead", "EIP158", "Istanbul", "London", "Osaka"];
    let test = |tx: TxEnvelope, intrinsic_gas: fn(&str) -> u64, from: &str, until: &str| {
        let place = |name| forks.iter().position(|fork| *fork == name).expect("a fork");
        let result = forks.map(|fork| {
            let valid = (place(from)..=place(until)).contains(&place(fork));
            let gas = format!("{:#x}", intrinsic_gas(fork));
            let result = if valid {
                json!({ "hash": tx.tx_hash(), "sender": sender(), "intrinsicGas": gas })
            } else {
                json!({ "exception": "TransactionException", "intrinsicGas": gas })
            };
            (fork.to_owned(), result)
        });
        let result = Value::Object(result.into_iter().collect());
        json!({ "txbytes": Bytes::from(tx.encoded_2718()), "result": result })
    };
    let plain = signed(legacy(None, RECIPIENT, 0, 30_000, 1));
    let signature = plain.signature();
    let high_s = Signature::new(signature.r(), SECP256K1_N - signature.s(), !signature.v());
    let high_s = plain.tx().clone().into_signed(high_s);
    let mut with_data = legacy(None, RECIPIENT, 0, 30_000, 1);
    with_data.input = Bytes::from_static(&[0, 1, 2]);
    let dynamic = TxEip1559 {
        chain_id: 1,
        gas_limit: 21_000,
        max_fee_per_gas: 10,
        to: TxKind::Call(RECIPIENT),
        ..TxEip1559::default()
    };
    let data_gas = |fork: &str| match fork {
        "Istanbul" | "London" | "Osaka" => 21_000 + 4 + 2 * 16,
        _ => 21_000 + 4 + 2 * 68,
    };
    let transfer_gas = |_: &str| 21_000;
    let short = signed(legacy(None, RECIPIENT, 0, 20_999, 1));
    let mut none = test(short.into(), transfer_gas, "Frontier", "Osaka");
    for (_, result) in none["result"].as_object_mut().expect("forks") {
        *result = json!({ "exception": "TransactionException.INTRINSIC_GAS_TOO_LOW" });
    }
    json!({
        "plain": test(plain.into(), transfer_gas, "Frontier", "Osaka"),
        "highS": test(high_s.into(), transfer_gas, "Frontier", "Frontier"),
        "data": test(signed(with_data).into(), data_gas, "Frontier", "Osaka"),
        "replayProtected": test(
            signed(legacy(Some(1), RECIPIENT, 0, 21_000, 1)).into(), transfer_gas, "EIP158", "Osaka",
        ),
        "otherChain": {
            "txbytes": Bytes::from(signed(legacy(Some(2), RECIPIENT, 0, 21_000, 1)).encoded_2718()),
            "result": { "Osaka": { "exception": "TransactionException.INVALID_CHAINID" } },
        },
        "dynamicFee": test(signed(dynamic).into(), transfer_gas, "London", "Osaka"),
        "gasTooLow": none,
    })
}
