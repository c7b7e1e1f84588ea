//! Helpers of the test suites: keys for unusual tries, random diffs, reference roots.

#![allow(dead_code, reason = "each suite uses its part")]

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, Nibbles, TrieAccount, root};
use proptest::{collection, prelude::*};
use turnpike_state::{Account, AccountDiff, FlatState, NodeSource, StateDiff, Trie};

/// A source that holds the given nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nodes(pub(crate) BTreeMap<B256, Bytes>);

impl Nodes {
    /// All nodes that the proofs of `keys` list.
    pub(crate) fn of<'a>(trie: &Trie, keys: impl IntoIterator<Item = &'a B256>) -> Self {
        let proofs = keys.into_iter().flat_map(|key| trie.proof(key).expect("full trie"));
        Self(proofs.map(|node| (keccak256(&node), node)).collect())
    }
}

impl NodeSource for Nodes {
    fn node(&mut self, hash: &B256) -> Option<Bytes> {
        self.0.get(hash).cloned()
    }
}

/// Keys that share prefixes of every length. They give long extensions and, near the end of the
/// key, nodes so short that their parents inline them.
pub(crate) fn key() -> impl Strategy<Value = B256> {
    let digits = collection::vec(0_u8..16, 0..=4);
    (0_u8..3, 0_usize..64, digits, 0_u8..2).prop_map(|(trunk, cut, digits, fill)| {
        let mut nibbles = [trunk * 5; 64];
        nibbles[cut..].fill(fill);
        for (nibble, digit) in nibbles[cut..].iter_mut().zip(digits) {
            *nibble = digit;
        }
        let mut key = B256::ZERO;
        for (byte, pair) in key.iter_mut().zip(nibbles.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        key
    })
}

/// Values from one byte to more than an inlined node can hold.
pub(crate) fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => collection::vec(1_u8.., 1..=1),
        2 => collection::vec(any::<u8>(), 20..=33),
        1 => collection::vec(any::<u8>(), 80..=130),
    ]
}

/// The root of a map, computed by `alloy-trie`.
pub(crate) fn reference_root(map: &BTreeMap<B256, Vec<u8>>) -> B256 {
    if map.is_empty() {
        return EMPTY_ROOT_HASH;
    }
    let mut builder = HashBuilder::default();
    for (key, value) in map {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    builder.root()
}

/// The state as plain maps, which every implementation must equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model(pub(crate) BTreeMap<Address, (Account, BTreeMap<U256, U256>)>);

impl Model {
    pub(crate) fn apply(&mut self, diff: &StateDiff) {
        for change in &diff.accounts {
            let Some(account) = change.account else {
                self.0.remove(&change.address);
                continue;
            };
            let entry = self.0.entry(change.address).or_default();
            entry.0 = account;
            if change.storage_cleared {
                entry.1.clear();
            }
            entry.1.extend(change.storage.iter().copied());
            entry.1.retain(|_, value| !value.is_zero());
        }
    }

    pub(crate) fn storage_root(&self, address: &Address) -> B256 {
        let slots = self.0.get(address).map(|(_, slots)| slots.clone()).unwrap_or_default();
        root::storage_root_unhashed(slots.into_iter().map(|(slot, value)| (slot.into(), value)))
    }

    pub(crate) fn state_root(&self) -> B256 {
        root::state_root_unhashed(self.0.iter().map(|(address, (account, _))| {
            let Account { nonce, balance, code_hash } = *account;
            let storage_root = self.storage_root(address);
            (*address, TrieAccount { nonce, balance, storage_root, code_hash })
        }))
    }
}

/// The content of flat tables.
pub(crate) fn content(flat: &FlatState) -> Model {
    let mut model = Model::default();
    model.0.extend(
        flat.iter_accounts().map(|(address, account)| (address, (account, BTreeMap::new()))),
    );
    for (address, slot, value) in flat.iter_slots() {
        model.0.get_mut(&address).expect("a slot has an account").1.insert(slot, value);
    }
    model
}

/// One of a few addresses; the first is the message passer.
pub(crate) fn address() -> impl Strategy<Value = Address> {
    (0_u8..24).prop_map(|index| match index {
        0 => turnpike_protocol::predeploys::MESSAGE_PASSER,
        index => Address::with_last_byte(index),
    })
}

/// One slot out of a few.
pub(crate) fn slot() -> impl Strategy<Value = U256> {
    (0_u64..12).prop_map(U256::from)
}

pub(crate) fn slot_value() -> impl Strategy<Value = U256> {
    prop_oneof![2 => Just(U256::ZERO), 3 => (1_u64..300).prop_map(U256::from), 1 => any::<[u64; 4]>().prop_map(U256::from_limbs)]
}

fn account() -> impl Strategy<Value = Account> {
    let code = prop_oneof![3 => Just(None), 1 => (0_u8..4).prop_map(Some)];
    (0_u64..400, any::<u64>(), code).prop_map(|(nonce, balance, code)| {
        let mut account = Account { nonce, balance: U256::from(balance), ..Account::default() };
        if let Some(seed) = code {
            account.code_hash = keccak256(code_of(seed));
        }
        account
    })
}

/// A small program that depends on `seed`.
pub(crate) fn code_of(seed: u8) -> Bytes {
    Bytes::from(vec![0x60, seed, 0x5b, 0x00])
}

fn account_diff() -> impl Strategy<Value = AccountDiff> {
    let gone = Just(AccountDiff { storage_cleared: true, ..AccountDiff::default() });
    let storage = collection::btree_map(slot(), slot_value(), 0..8);
    let changed = (account(), prop::bool::weighted(0.2), storage).prop_map(
        |(account, storage_cleared, storage)| AccountDiff {
            address: Address::ZERO,
            account: Some(account),
            storage_cleared,
            storage: storage.into_iter().collect(),
        },
    );
    prop_oneof![1 => gone, 4 => changed]
}

/// Random changes to a few accounts, in any order, with the codes that they name.
pub(crate) fn diff() -> impl Strategy<Value = StateDiff> {
    let accounts = collection::btree_map(address(), account_diff(), 0..12);
    let accounts = accounts.prop_map(|accounts| {
        let accounts = accounts.into_iter();
        accounts.map(|(address, diff)| AccountDiff { address, ..diff }).collect::<Vec<_>>()
    });
    accounts.prop_shuffle().prop_map(|accounts| {
        let codes = (0..4).map(|seed| (keccak256(code_of(seed)), code_of(seed))).collect();
        StateDiff { accounts, codes }
    })
}

/// Sets nonce and slots of one account.
pub(crate) fn set(address: Address, nonce: u64, storage: &[(u64, u64)]) -> AccountDiff {
    let storage = storage.iter().map(|(slot, value)| (U256::from(*slot), U256::from(*value)));
    let account = Some(Account { nonce, ..Account::default() });
    AccountDiff { address, account, storage: storage.collect(), ..AccountDiff::default() }
}
