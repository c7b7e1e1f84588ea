//! Blocks.

use alloy_consensus::{
    Eip658Value, Header, Receipt, ReceiptEnvelope, ReceiptWithBloom, TxEip1559, TxEnvelope,
    proofs::calculate_receipt_root,
};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bloom, Bytes, Log, TxKind, U256, keccak256, logs_bloom};
use alloy_trie::root::ordered_trie_root_encoded;
use op_alloy_consensus::{OpDepositReceipt, OpReceiptEnvelope, TxDeposit};
use serde_json::{Value, json};

use super::{
    BASE_FEE, COINBASE, CONTRACT, DEPOSITOR, FUNDS, LOGGING, RECIPIENT, legacy, logged, sender,
    signed,
};
use crate::test_state::{TestAccount, TestState};

/// A mainnet-like block under Cancun: a transfer, a log, and a call that runs out of gas.
pub(super) fn mainnet() -> (Value, Value) {
    let transactions: [TxEnvelope; 3] = [
        signed(legacy(None, RECIPIENT, 0, 21_000, 1)).into(),
        signed(TxEip1559 {
            chain_id: 1,
            nonce: 1,
            gas_limit: 50_000,
            max_fee_per_gas: 20,
            max_priority_fee_per_gas: 1,
            to: TxKind::Call(CONTRACT),
            ..TxEip1559::default()
        })
        .into(),
        signed(legacy(Some(1), CONTRACT, 2, 21_100, 0)).into(),
    ];
    let receipt = |is_success: bool, cumulative_gas_used: u64, logs: Vec<Log>| {
        let status = Eip658Value::Eip658(is_success);
        Receipt { status, cumulative_gas_used, logs }.with_bloom()
    };
    let gas = [21_000, 42_000 + LOGGING.1, 42_000 + LOGGING.1 + 21_100];
    let receipts = [
        ReceiptEnvelope::Legacy(receipt(true, gas[0], Vec::new())),
        ReceiptEnvelope::Eip1559(receipt(true, gas[1], vec![logged()])),
        ReceiptEnvelope::Legacy(receipt(false, gas[2], Vec::new())),
    ];
    let header = Header {
        number: 19_500_000,
        timestamp: 1_711_234_567,
        gas_used: gas[2],
        logs_bloom: logs_bloom([&logged()]),
        receipts_root: calculate_receipt_root(&receipts),
        ..header()
    };
    let pre = TestState::default()
        .with(sender(), TestAccount::with_balance(FUNDS))
        .with(CONTRACT, TestAccount::with_code(&LOGGING.0));
    (block_json(&header, transactions.iter().map(with_sender).collect()), pre_state(&pre))
}

/// An OP-stack-like block under Prague: a deposit that mints and logs, one that cannot pay what it
/// sends, a transfer.
pub(super) fn op_stack() -> (Value, Value) {
    let deposit = |mint: u128, value: u64, to: Address| {
        let deposit = TxDeposit {
            source_hash: keccak256(value.to_string()),
            from: DEPOSITOR,
            to: TxKind::Call(to),
            mint,
            value: U256::from(value),
            gas_limit: 50_000,
            is_system_transaction: false,
            input: Bytes::new(),
        };
        let mut json = serde_json::to_value(&deposit).expect("serializes");
        json["type"] = json!("0x7e");
        json["hash"] = json!(deposit.tx_hash());
        json
    };
    let transfer: TxEnvelope = signed(legacy(Some(4242), RECIPIENT, 0, 21_000, 1)).into();
    let transactions =
        vec![deposit(10, 0, CONTRACT), deposit(0, 0xffff, RECIPIENT), with_sender(&transfer)];
    let receipt = |is_success: bool, cumulative_gas_used: u64, logs: Vec<Log>| {
        let status = Eip658Value::Eip658(is_success);
        Receipt { status, cumulative_gas_used, logs }
    };
    let deposited = |inner: Receipt, nonce: u64| {
        let logs_bloom = logs_bloom(&inner.logs);
        let (deposit_nonce, deposit_receipt_version) = (Some(nonce), Some(1));
        let receipt = OpDepositReceipt { inner, deposit_nonce, deposit_receipt_version };
        OpReceiptEnvelope::Deposit(ReceiptWithBloom { receipt, logs_bloom })
    };
    let first = 21_000 + LOGGING.1;
    let gas_used = first + 50_000 + 21_000;
    let receipts = [
        deposited(receipt(true, first, vec![logged()]), 3),
        deposited(receipt(false, first + 50_000, Vec::new()), 4),
        OpReceiptEnvelope::Legacy(receipt(true, gas_used, Vec::new()).with_bloom()),
    ];
    let encoded: Vec<_> = receipts.iter().map(Encodable2718::encoded_2718).collect();
    let header = Header {
        number: 7,
        timestamp: 1_800_000_000,
        gas_used,
        logs_bloom: logs_bloom([&logged()]),
        receipts_root: ordered_trie_root_encoded(&encoded),
        requests_hash: Some(B256::ZERO),
        ..header()
    };
    let pre = TestState::default()
        .with(sender(), TestAccount::with_balance(FUNDS))
        .with(DEPOSITOR, TestAccount { nonce: 3, ..TestAccount::default() })
        .with(CONTRACT, TestAccount::with_code(&LOGGING.0));
    (block_json(&header, transactions), pre_state(&pre))
}

/// A transaction as JSON-RPC gives it.
fn with_sender(tx: &TxEnvelope) -> Value {
    let mut json = serde_json::to_value(tx).expect("serializes");
    json["from"] = json!(sender());
    json
}

fn header() -> Header {
    Header {
        beneficiary: COINBASE,
        gas_limit: 30_000_000,
        base_fee_per_gas: Some(BASE_FEE),
        logs_bloom: Bloom::ZERO,
        withdrawals_root: Some(B256::ZERO),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        ..Header::default()
    }
}

fn block_json(header: &Header, transactions: Vec<Value>) -> Value {
    let mut block = serde_json::to_value(header).expect("serializes");
    block["transactions"] = Value::Array(transactions);
    block
}

/// As the blocks' pre-states are written: codes are elsewhere, by hash.
fn pre_state(state: &TestState) -> Value {
    let accounts = state.0.iter().map(|(address, account)| {
        let mut fields = json!({
            "balance": account.balance, "nonce": account.nonce, "storage": {},
        });
        if !account.code.is_empty() {
            fields["code_hash"] = json!(keccak256(&account.code));
        }
        (address.to_string().to_lowercase(), fields)
    });
    Value::Object(accounts.collect())
}

/// The codes of both blocks.
pub(super) fn codes() -> Value {
    json!({ keccak256(LOGGING.0).to_string(): Bytes::from(LOGGING.0) })
}
