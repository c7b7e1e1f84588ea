//! A state as the vectors write it, and its root by an implementation that is not ours.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, Log, U256, keccak256};
use alloy_trie::{
    TrieAccount,
    root::{state_root_unhashed, storage_root_unhashed},
};
use serde_json::{Map, Value, json};

/// An account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
    pub(crate) code: Bytes,
    pub(crate) storage: BTreeMap<U256, U256>,
}

impl Account {
    pub(crate) fn with_balance(balance: u64) -> Self {
        Self { balance: U256::from(balance), ..Self::default() }
    }

    pub(crate) fn with_code(code: &[u8]) -> Self {
        Self { nonce: 1, code: Bytes::copy_from_slice(code), ..Self::default() }
    }
}

/// All accounts there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct World(pub(crate) BTreeMap<Address, Account>);

impl World {
    pub(crate) fn with(mut self, address: Address, account: Account) -> Self {
        self.0.insert(address, account);
        self
    }

    pub(crate) fn root(&self) -> B256 {
        let leaf = |(address, account): (&Address, &Account)| {
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

    /// As state tests write it.
    pub(crate) fn to_json(&self) -> Value {
        let account = |(address, account): (&Address, &Account)| {
            let Account { nonce, balance, code, storage } = account;
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

/// The hash that state tests give of logs.
pub(crate) fn logs_hash(logs: &Vec<Log>) -> B256 {
    keccak256(alloy_rlp::encode(logs))
}
