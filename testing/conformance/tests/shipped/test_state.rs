//! The state of a vector, with its root by alloy-trie.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, Log, U256, keccak256};
use alloy_trie::{
    TrieAccount,
    root::{state_root_unhashed, storage_root_unhashed},
};
use serde_json::{Map, Value, json};

/// An account.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestAccount {
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
    pub(crate) code: Bytes,
    pub(crate) storage: BTreeMap<U256, U256>,
}

impl TestAccount {
    pub(crate) fn with_balance(balance: u64) -> Self {
        Self { balance: U256::from(balance), ..Self::default() }
    }

    pub(crate) fn with_code(code: &[u8]) -> Self {
        Self { nonce: 1, code: Bytes::copy_from_slice(code), ..Self::default() }
    }
}

/// A whole state.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestState(pub(crate) BTreeMap<Address, TestAccount>);

impl TestState {
    pub(crate) fn with(mut self, address: Address, account: TestAccount) -> Self {
        self.0.insert(address, account);
        self
    }

    pub(crate) fn root(&self) -> B256 {
        let leaf = |(address, account): (&Address, &TestAccount)| {
            let storage = account.storage.iter().map(|(slot, value)| (B256::from(*slot), *value));
            let leaf = TrieAccount {
                nonce: account.nonce,
                balance: account.balance,
                storage_root: storage_root_unhashed(storage),
                code_hash: keccak256(&account.code),
            };
            (*address, leaf)
        };
        state_root_unhashed(self.0.iter().map(leaf))
    }

    /// In the state tests' JSON format.
    pub(crate) fn to_json(&self) -> Value {
        let account = |(address, account): (&Address, &TestAccount)| {
            let TestAccount { nonce, balance, code, storage } = account;
            let storage: Map<_, _> =
                storage.iter().map(|(slot, value)| (format!("{slot:#x}"), json!(value))).collect();
            let fields = json!({
                "nonce": format!("{nonce:#x}"), "balance": balance, "code": code, "storage": storage,
            });
            (address.to_string().to_lowercase(), fields)
        };
        Value::Object(self.0.iter().map(account).collect())
    }
}

/// The hash of logs that state tests state.
pub(crate) fn logs_hash(logs: &Vec<Log>) -> B256 {
    keccak256(alloy_rlp::encode(logs))
}
