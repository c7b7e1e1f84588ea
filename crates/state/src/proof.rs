//! Merkle proofs in the shape of `eth_getProof` (EIP-1186).

use alloc::vec::Vec;
use alloy_primitives::{B256, Bytes, U256};

use crate::Account;

/// An account and some of its slots, proven against a state root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountProof {
    /// The account; `None` if the proof shows that there is none.
    pub account: Option<Account>,
    /// Root of its storage; [`EMPTY_ROOT`](crate::EMPTY_ROOT) for a missing account.
    pub storage_root: B256,
    /// Nodes from the state root towards `keccak256(address)`, root first.
    pub account_proof: Vec<Bytes>,
    /// One proof per requested slot, in the order of the request.
    pub storage: Vec<StorageProof>,
}

/// One slot, proven against a storage root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageProof {
    /// The slot's number, before hashing.
    pub slot: U256,
    /// Its value; zero if the proof shows that it is unset.
    pub value: U256,
    /// Nodes from the storage root towards `keccak256(slot)`, root first. Empty if the account has
    /// no storage.
    pub proof: Vec<Bytes>,
}
