//! An account as execution sees it, and its leaf as the trie stores it.
//!
//! The two differ in one field: only [`AccountLeaf`] has the storage root, because the storage root
//! belongs to the trie.

use alloc::vec::Vec;
use alloy_primitives::{B256, KECCAK256_EMPTY, U256};
use alloy_rlp::{RlpDecodable, RlpEncodable};

/// Nonce, balance and code hash of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    /// Transactions sent or contracts created by this account.
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// `keccak256` of the code, or of the empty string if the account has no code.
    pub code_hash: B256,
}

impl Account {
    /// Whether the account is empty in the sense of EIP-161: no nonce, no balance, no code.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && !self.has_code()
    }

    /// Whether the account has code.
    #[must_use]
    pub fn has_code(&self) -> bool {
        self.code_hash != KECCAK256_EMPTY
    }
}

impl Default for Account {
    fn default() -> Self {
        Self { nonce: 0, balance: U256::ZERO, code_hash: KECCAK256_EMPTY }
    }
}

/// The value of an account leaf: RLP of `[nonce, balance, storage_root, code_hash]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(crate) struct AccountLeaf {
    nonce: u64,
    balance: U256,
    /// Root of the account's storage trie.
    pub(crate) storage_root: B256,
    code_hash: B256,
}

impl AccountLeaf {
    pub(crate) fn new(account: &Account, storage_root: B256) -> Self {
        let Account { nonce, balance, code_hash } = *account;
        Self { nonce, balance, storage_root, code_hash }
    }

    pub(crate) fn account(&self) -> Account {
        Account { nonce: self.nonce, balance: self.balance, code_hash: self.code_hash }
    }

    /// The RLP of the leaf's value.
    pub(crate) fn to_rlp(self) -> Vec<u8> {
        alloy_rlp::encode(self)
    }

    /// Decodes a leaf's value. Returns `None` if the bytes are not exactly one account.
    pub(crate) fn from_rlp(bytes: &[u8]) -> Option<Self> {
        alloy_rlp::decode_exact(bytes).ok()
    }
}
