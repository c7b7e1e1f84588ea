//! Computes the shipped vectors: pre-states, transactions, and their outcomes by the yellow paper
//! and the EIPs. Roots come from alloy-trie: neither Turnpike's executor nor its trie takes part.

mod block;
mod state;
mod transaction;
mod trie;

use alloy::signers::{SignerSync as _, local::PrivateKeySigner};
use alloy_consensus::{SignableTransaction, Signed, TxLegacy};
use alloy_primitives::{
    Address, B256, Bytes, Log, LogData, Signature, TxKind, U256, address, b256, hex,
};
use serde_json::Value;

const KEY: B256 = b256!("4545454545454545454545454545454545454545454545454545454545454545");
const RECIPIENT: Address = address!("00000000000000000000000000000000000ec1b1");
const CONTRACT: Address = address!("00000000000000000000000000000000000c0de0");
const COINBASE: Address = address!("00000000000000000000000000000000c01bba5e");
const DEPOSITOR: Address = address!("00000000000000000000000000000000de9051e5");
const FUNDS: u64 = 1_000_000_000_000;
const GAS_PRICE: u64 = 10;
const BASE_FEE: u64 = 7;

/// Every shipped file: its path below `vectors/` and its content.
pub(crate) fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("GeneralStateTests/stTurnpike/transfer.json", state::transfer()),
        ("GeneralStateTests/stTurnpike/creation.json", state::creation()),
        ("GeneralStateTests/stTurnpike/log.json", state::log()),
        ("GeneralStateTests/stTurnpike/blockHash.json", state::block_hash()),
        ("TransactionTests/ttTurnpike/signatures.json", transaction::signatures()),
        ("TrieTests/turnpike_secureTrie.json", trie::roots()),
        ("blocks/19500000/block.json", block::mainnet().0),
        ("blocks/19500000/pre_state.json", block::mainnet().1),
        ("blocks/7/block.json", block::op_stack().0),
        ("blocks/7/pre_state.json", block::op_stack().1),
        ("blocks/codes.json", block::codes()),
    ]
}

fn signer() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&KEY).expect("a key")
}

fn sender() -> Address {
    signer().address()
}

/// Code that logs the word 0x2a under topic 7, and the gas that it uses.
const LOGGING: ([u8; 12], u64) = (hex!("602a600052600760206000a1"), 12 + 9 + 375 + 375 + 32 * 8);

fn logged() -> Log {
    let data = LogData::new_unchecked(
        vec![B256::with_last_byte(7)],
        Bytes::copy_from_slice(B256::with_last_byte(42).as_slice()),
    );
    Log { address: CONTRACT, data }
}

fn signed<T: SignableTransaction<Signature>>(tx: T) -> Signed<T> {
    let signature = signer().sign_hash_sync(&tx.signature_hash()).expect("signs");
    tx.into_signed(signature)
}

fn legacy(chain_id: Option<u64>, to: Address, nonce: u64, gas_limit: u64, value: u64) -> TxLegacy {
    TxLegacy {
        chain_id,
        nonce,
        gas_price: GAS_PRICE.into(),
        gas_limit,
        to: TxKind::Call(to),
        value: U256::from(value),
        input: Bytes::new(),
    }
}
