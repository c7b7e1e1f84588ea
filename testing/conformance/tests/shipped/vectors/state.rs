//! State tests.

use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256, hex, keccak256};
use serde_json::{Value, json};

use super::{
    BASE_FEE, COINBASE, CONTRACT, FUNDS, GAS_PRICE, KEY, LOGGING, RECIPIENT, logged, sender, signed,
};
use crate::test_state::{TestAccount, TestState, logs_hash};

/// The sender after a transaction that cost this much.
fn sender_after(cost: u64) -> TestAccount {
    TestAccount { nonce: 1, ..TestAccount::with_balance(FUNDS - cost) }
}

fn state_test(
    name: &str,
    comment: &str,
    pre: &TestState,
    transaction: Value,
    post: Value,
) -> Value {
    json!({ name: {
        "_info": { "comment": comment },
        "env": {
            "currentCoinbase": COINBASE,
            "currentDifficulty": "0x20000",
            "currentRandom": B256::ZERO,
            "currentGasLimit": "0x1000000",
            "currentNumber": "0x0a",
            "currentTimestamp": "0x03e8",
            "currentBaseFee": format!("{BASE_FEE:#x}"),
            "currentExcessBlobGas": "0x00",
        },
        "pre": pre.to_json(),
        "transaction": transaction,
        "post": post,
    }})
}

fn post(value: usize, state: &TestState, logs: &Vec<Log>) -> Value {
    json!({
        "hash": state.root(),
        "logs": logs_hash(logs),
        "indexes": { "data": 0, "gas": 0, "value": value },
    })
}

fn call(to: Address, gas_limit: u64, values: &[&str]) -> Value {
    json!({
        "data": ["0x"],
        "gasLimit": [format!("{gas_limit:#x}")],
        "gasPrice": format!("{GAS_PRICE:#x}"),
        "nonce": "0x00",
        "secretKey": KEY,
        "sender": sender(),
        "to": to,
        "value": values,
    })
}

/// What the coinbase and the sender have after a legacy transaction that used `gas`.
fn after(pre: &TestState, fork: &str, gas: u64, value: u64) -> TestState {
    let tip = if fork == "Frontier" { GAS_PRICE } else { GAS_PRICE - BASE_FEE };
    pre.clone()
        .with(sender(), sender_after(GAS_PRICE * gas + value))
        .with(COINBASE, TestAccount::with_balance(tip * gas))
}

pub(super) fn transfer() -> Value {
    let pre = TestState::default().with(sender(), TestAccount::with_balance(FUNDS));
    let forks = ["Frontier", "Cancun", "Osaka"].map(|fork| {
        let sent =
            after(&pre, fork, 21_000, 1_000).with(RECIPIENT, TestAccount::with_balance(1_000));
        // Before EIP-161 a reward of nothing leaves an empty account.
        let refused = match fork {
            "Frontier" => pre.clone().with(COINBASE, TestAccount::default()),
            _ => pre.clone(),
        };
        let refusal = |value: usize, exception: &str| {
            let mut post = post(value, &refused, &Vec::new());
            post["expectException"] = json!(exception);
            post
        };
        let posts = json!([
            post(0, &sent, &Vec::new()),
            refusal(1, "TransactionException.INSUFFICIENT_ACCOUNT_FUNDS"),
            refusal(2, "TransactionException.RLP_INVALID_VALUE"),
        ]);
        (fork.to_owned(), posts)
    });
    let long = format!("0x:bigint 0x01{}", "00".repeat(32));
    let values = ["0x03e8", "0xe8d4a51000", &long];
    state_test(
        "transfer",
        "1000 wei to a new account, and two values that cannot be sent: more than the sender has, and 2^256",
        &pre,
        call(RECIPIENT, 21_000, &values),
        Value::Object(forks.into_iter().collect()),
    )
}

pub(super) fn creation() -> Value {
    // 0x01 into slot 0, then one byte of code: 0xfe.
    let init_code = hex!("600160005560fe60005360016000f3");
    // Transaction and creation, 12 bytes that are not zero and 3 that are, a word of init code; six
    // cheap and a memory instruction's pushes, SSTORE on a cold and empty slot, MSTORE8 with a new
    // word of memory; a byte of code.
    let gas = (21_000 + 32_000 + 12 * 16 + 3 * 4 + 2) + (6 + 22_100 + 6 + 6 + 6) + 200;
    let pre = TestState::default().with(sender(), TestAccount::with_balance(FUNDS));
    let created = sender().create(0);
    let contract = TestAccount {
        balance: U256::from(5),
        storage: [(U256::ZERO, U256::from(1))].into(),
        ..TestAccount::with_code(&[0xfe])
    };
    let signed = signed(TxEip1559 {
        chain_id: 1,
        gas_limit: 200_000,
        max_fee_per_gas: GAS_PRICE.into(),
        max_priority_fee_per_gas: (GAS_PRICE - BASE_FEE).into(),
        to: TxKind::Create,
        value: U256::from(5),
        input: init_code.into(),
        ..TxEip1559::default()
    });
    let forks = ["Cancun", "Osaka"].map(|fork| {
        let state = after(&pre, fork, gas, 5).with(created, contract.clone());
        let mut post = post(0, &state, &Vec::new());
        post["txbytes"] = json!(Bytes::from(signed.encoded_2718()));
        (fork.to_owned(), json!([post]))
    });
    let transaction = json!({
        "data": [Bytes::from(init_code)],
        "gasLimit": ["0x30d40"],
        "maxFeePerGas": format!("{GAS_PRICE:#x}"),
        "maxPriorityFeePerGas": format!("{:#x}", GAS_PRICE - BASE_FEE),
        "accessLists": [[]],
        "nonce": "0x00",
        "secretKey": KEY,
        "sender": sender(),
        "to": "",
        "value": ["0x05"],
    });
    let comment = "a contract with a slot, a byte of code and 5 wei";
    state_test("creation", comment, &pre, transaction, Value::Object(forks.into_iter().collect()))
}

pub(super) fn log() -> Value {
    let pre = TestState::default()
        .with(sender(), TestAccount::with_balance(FUNDS))
        .with(CONTRACT, TestAccount::with_code(&LOGGING.0));
    let forks = ["Frontier", "Cancun", "Osaka"].map(|fork| {
        let state = after(&pre, fork, 21_000 + LOGGING.1, 0);
        (fork.to_owned(), json!([post(0, &state, &vec![logged()])]))
    });
    let post = Value::Object(forks.into_iter().collect());
    state_test("log", "one log", &pre, call(CONTRACT, 50_000, &["0x00"]), post)
}

pub(super) fn block_hash() -> Value {
    // BLOCKHASH of block 9 into slot 0.
    let code = hex!("600940600055");
    let gas = 21_000 + 3 + 20 + 3 + 22_100;
    let pre = TestState::default()
        .with(sender(), TestAccount::with_balance(FUNDS))
        .with(CONTRACT, TestAccount::with_code(&code));
    let stored = TestAccount {
        storage: [(U256::ZERO, keccak256("9").into())].into(),
        ..TestAccount::with_code(&code)
    };
    let forks = ["Cancun", "Osaka"].map(|fork| {
        let state = after(&pre, fork, gas, 0).with(CONTRACT, stored.clone());
        (fork.to_owned(), json!([post(0, &state, &Vec::new())]))
    });
    let post = Value::Object(forks.into_iter().collect());
    let comment = "in these tests the hash of block n is keccak256 of n's digits";
    state_test("blockHash", comment, &pre, call(CONTRACT, 100_000, &["0x00"]), post)
}
