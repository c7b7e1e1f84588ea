//! Contents of the leaves of a full state, read from the flat tables.

use alloc::vec::Vec;
use alloy_primitives::{B256, U256, keccak256};
use alloy_rlp::Encodable;

use super::Storages;
use crate::{
    Account, EMPTY_ROOT, FlatState, account::AccountLeaf, flat::AccountValue, trie::Leaves,
};

/// The leaves of the account trie, by entry number.
pub(super) struct AccountLeaves<'a> {
    pub(super) flat: &'a FlatState,
    pub(super) storages: &'a Storages,
}

impl Leaves for AccountLeaves<'_> {
    type Value<'b>
        = (AccountValue, B256, B256)
    where
        Self: 'b;

    fn key(&self, leaf: u32) -> B256 {
        keccak256(self.flat.account_entry(leaf).0)
    }

    #[inline]
    fn load(&self, leaf: u32) -> (AccountValue, B256, B256) {
        let value = *self.flat.account_entry(leaf).1;
        let root = self.storages.root(leaf).map_or(EMPTY_ROOT, |root| root.hash());
        (value, self.flat.code_hash(&value), root)
    }

    fn encode<'b>(&'b self, (value, code_hash, storage_root): &Self::Value<'b>, out: &mut Vec<u8>) {
        let (nonce, balance, code_hash) = (value.nonce(), value.balance(), *code_hash);
        AccountLeaf::new(&Account { nonce, balance, code_hash }, *storage_root).encode(out);
    }
}

/// The leaves of all storage tries, by entry number.
pub(super) struct SlotLeaves<'a> {
    pub(super) flat: &'a FlatState,
}

impl Leaves for SlotLeaves<'_> {
    type Value<'b>
        = U256
    where
        Self: 'b;

    fn key(&self, leaf: u32) -> B256 {
        keccak256(self.flat.slot_entry(leaf).0.to_be_bytes::<32>())
    }

    #[inline]
    fn load(&self, leaf: u32) -> U256 {
        self.flat.slot_entry(leaf).1
    }

    fn encode(&self, value: &U256, out: &mut Vec<u8>) {
        value.encode(out);
    }
}
