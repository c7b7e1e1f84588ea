//! Reading the forest: roots, proofs, witnesses.

use alloc::vec::Vec;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use turnpike_protocol::predeploys::MESSAGE_PASSER;

use super::{
    Forest, Grove,
    leaves::{AccountLeaves, SlotLeaves},
    root::Root,
};
use crate::{
    AccountProof, EMPTY_ROOT, FlatState, StateRoots, StorageProof, Touched, TrieError, Witness,
    trie::{Leaves, Reader},
};

impl Grove {
    fn read<L: Leaves, T>(
        &self,
        root: &Root,
        leaves: &L,
        read: impl FnOnce(&Reader<'_, L>) -> Result<T, TrieError>,
    ) -> T {
        let single = self.arenas.get(usize::from(root.nibble));
        let read = read(&Reader {
            root: root.word,
            reference: root.reference,
            top: single.unwrap_or(&self.crown),
            below: &|nibble| single.unwrap_or(&self.arenas[nibble]),
            leaves,
        });
        read.expect("invariant: a full trie has no blinded nodes")
    }
}

impl Forest {
    /// The roots of the account trie and of the message passer's storage.
    pub(crate) fn roots(&self, flat: &FlatState) -> StateRoots {
        let passer = flat.number(&MESSAGE_PASSER);
        StateRoots {
            state_root: self.accounts[0].hash(),
            message_passer_storage_root: self.storage_root(passer),
        }
    }

    /// Merkle proofs of an account and some of its slots.
    pub(crate) fn account_proof(
        &self,
        flat: &FlatState,
        address: &Address,
        slots: &[U256],
    ) -> AccountProof {
        let number = flat.number(address);
        let storage = slots.iter().map(|slot| self.storage_proof(flat, number, *slot));
        AccountProof {
            account: flat.account(address),
            storage_root: self.storage_root(number),
            account_proof: self.grove.read(
                &self.accounts[0],
                &self.account_leaves(flat),
                |reader| reader.proof(&keccak256(address)),
            ),
            storage: storage.collect(),
        }
    }

    fn storage_proof(&self, flat: &FlatState, account: Option<u32>, slot: U256) -> StorageProof {
        let number = account.and_then(|account| flat.slot_number(account, slot));
        let value = number.map(|number| flat.slot_entry(number).1).unwrap_or_default();
        let root = account.and_then(|account| self.storages.root(account));
        let proof = root.map(|root| self.slot_proof(flat, root, slot)).unwrap_or_default();
        StorageProof { slot, value, proof }
    }

    fn slot_proof(&self, flat: &FlatState, root: &Root, slot: U256) -> Vec<Bytes> {
        let key = keccak256(slot.to_be_bytes::<32>());
        self.grove.read(root, &SlotLeaves { flat }, |reader| reader.proof(&key))
    }

    /// Adds to `witness` every node that reading or changing the `touched` keys can request, in any
    /// combination, and the nodes that the roots need.
    ///
    /// These are the nodes on the paths and each direct child of a branch on a path: when deletions
    /// leave a branch with one child, that child takes the branch's place and must be known.
    pub(crate) fn collect_witness(
        &self,
        flat: &FlatState,
        touched: &Touched,
        witness: &mut Witness,
    ) {
        for address in touched.accounts.keys().chain([&MESSAGE_PASSER]) {
            self.grove.read(&self.accounts[0], &self.account_leaves(flat), |reader| {
                reader.collect_witness(&keccak256(address), witness)
            });
        }
        for (address, slots) in &touched.accounts {
            let number = flat.number(address);
            let Some(root) = number.and_then(|number| self.storages.root(number)) else { continue };
            for slot in slots {
                let key = keccak256(slot.to_be_bytes::<32>());
                self.grove.read(root, &SlotLeaves { flat }, |reader| {
                    reader.collect_witness(&key, witness)
                });
            }
        }
    }

    pub(super) fn account_leaves<'a>(&'a self, flat: &'a FlatState) -> AccountLeaves<'a> {
        AccountLeaves { flat, storages: &self.storages }
    }

    fn storage_root(&self, account: Option<u32>) -> B256 {
        let root = account.and_then(|account| self.storages.root(account));
        root.map_or(EMPTY_ROOT, Root::hash)
    }
}
