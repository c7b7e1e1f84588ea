//! The state in the form that Ethereum commits to: a trie of accounts, and a trie of slots per
//! account. Parts of it may be blinded.
//!
//! Job: apply diffs and compute roots, proofs and witnesses where parts of the tries are blinded,
//! as in the proof program. A node has the full tries and uses a `Forest`. Inputs: a [`StateDiff`],
//! and a [`NodeSource`]. Keys are keccak hashes of addresses and slots. The value of an account is
//! the RLP of `[nonce, balance, storage_root, code_hash]`, and the value of a slot is the RLP of
//! its number. A zero slot is absent.
//!
//! Invariant: `storages` holds a trie only for an account whose leaf names that trie's root. In a
//! full state every account with storage has its trie there; in a partial one, a missing trie is
//! blinded at the root that the leaf names.

use alloc::vec::Vec;
use alloy_primitives::{
    Address, B256, U256, keccak256,
    map::{B256Map, Entry},
};
use turnpike_protocol::predeploys::MESSAGE_PASSER;

use crate::{
    Account, AccountDiff, AccountProof, EMPTY_ROOT, NodeSource, StateDiff, StateRoots,
    StorageProof, Touched, Trie, TrieError, Witness, account::AccountLeaf,
};

/// The account trie and all storage tries.
#[derive(Clone, Debug, Default)]
pub struct StateTrie {
    accounts: Trie,
    /// Storage tries that are not empty, by hashed address.
    storages: B256Map<Trie>,
}

impl StateTrie {
    /// The empty state.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The state with this root, with nothing resolved.
    #[must_use]
    pub fn blinded(state_root: B256) -> Self {
        Self { accounts: Trie::blinded(state_root), storages: B256Map::default() }
    }

    /// Applies a diff and returns the new roots.
    ///
    /// If it fails, part of the diff may be applied, and the caller must drop the trie. A full trie
    /// never fails.
    pub fn apply(
        &mut self,
        diff: &StateDiff,
        source: &mut impl NodeSource,
    ) -> Result<StateRoots, TrieError> {
        for change in &diff.accounts {
            self.apply_account(&keccak256(change.address), change, source)?;
        }
        self.resolved_roots(source)
    }

    fn apply_account(
        &mut self,
        key: &B256,
        change: &AccountDiff,
        source: &mut impl NodeSource,
    ) -> Result<(), TrieError> {
        let Some(account) = &change.account else {
            self.storages.remove(key);
            return self.accounts.remove(key, source);
        };
        let storage_root = self.apply_storage(key, change, source)?;
        let leaf = AccountLeaf::new(account, storage_root);
        self.accounts.insert(key, &leaf.to_rlp(), source)
    }

    /// Applies the storage part of a change and returns the account's new storage root.
    fn apply_storage(
        &mut self,
        key: &B256,
        change: &AccountDiff,
        source: &mut impl NodeSource,
    ) -> Result<B256, TrieError> {
        let old_root = if change.storage_cleared {
            self.storages.remove(key);
            EMPTY_ROOT
        } else {
            self.leaf(key, source)?.map_or(EMPTY_ROOT, |leaf| leaf.storage_root)
        };
        if change.storage.is_empty() {
            return Ok(old_root);
        }
        let trie = self.storages.entry(*key).or_insert_with(|| Trie::blinded(old_root));
        for (slot, value) in &change.storage {
            let slot = keccak256(slot.to_be_bytes::<32>());
            if value.is_zero() {
                trie.remove(&slot, source)?;
            } else {
                trie.insert(&slot, &alloy_rlp::encode(value), source)?;
            }
        }
        let root = trie.root();
        if root == EMPTY_ROOT {
            self.storages.remove(key);
        }
        Ok(root)
    }

    /// The account at `address`.
    pub fn account(
        &mut self,
        address: &Address,
        source: &mut impl NodeSource,
    ) -> Result<Option<Account>, TrieError> {
        Ok(self.leaf(&keccak256(address), source)?.map(|leaf| leaf.account()))
    }

    /// The value of a slot, zero if unset.
    pub fn storage(
        &mut self,
        address: &Address,
        slot: U256,
        source: &mut impl NodeSource,
    ) -> Result<U256, TrieError> {
        let key = keccak256(address);
        if !self.storages.contains_key(&key) {
            match self.leaf(&key, source)? {
                Some(leaf) if leaf.storage_root != EMPTY_ROOT => {
                    self.storages.insert(key, Trie::blinded(leaf.storage_root));
                }
                _ => return Ok(U256::ZERO),
            }
        }
        let Entry::Occupied(mut entry) = self.storages.entry(key) else {
            return Ok(U256::ZERO);
        };
        let slot = keccak256(slot.to_be_bytes::<32>());
        slot_value(&slot, entry.get_mut().get(&slot, source)?)
    }

    /// The roots. Resolves the message passer's account if it is blinded.
    pub fn resolved_roots(
        &mut self,
        source: &mut impl NodeSource,
    ) -> Result<StateRoots, TrieError> {
        let state_root = self.accounts.root();
        let passer = self.leaf(&keccak256(MESSAGE_PASSER), source)?;
        Ok(StateRoots { state_root, message_passer_storage_root: storage_root(passer) })
    }

    /// The roots. Fails with [`TrieError::MissingNode`] if the message passer's account is blinded.
    pub fn roots(&self) -> Result<StateRoots, TrieError> {
        let state_root = self.accounts.current_root();
        let passer = self.peek_leaf(&keccak256(MESSAGE_PASSER))?;
        Ok(StateRoots { state_root, message_passer_storage_root: storage_root(passer) })
    }

    /// The storage root of an account. Fails with [`TrieError::MissingNode`] if it is blinded.
    pub fn peek_storage_root(&self, address: &Address) -> Result<B256, TrieError> {
        Ok(storage_root(self.peek_leaf(&keccak256(address))?))
    }

    /// Merkle proofs of an account and some of its slots.
    ///
    /// Fails with [`TrieError::MissingNode`] if a path is blinded.
    pub fn account_proof(
        &self,
        address: &Address,
        slots: &[U256],
    ) -> Result<AccountProof, TrieError> {
        let key = keccak256(address);
        let leaf = self.peek_leaf(&key)?;
        let storage_root = storage_root(leaf);
        let blinded;
        let trie = match self.storages.get(&key) {
            Some(trie) => trie,
            None => {
                blinded = Trie::blinded(storage_root);
                &blinded
            }
        };
        let storage = slots.iter().map(|slot| storage_proof(trie, *slot));
        Ok(AccountProof {
            account: leaf.map(|leaf| leaf.account()),
            storage_root,
            account_proof: self.accounts.proof(&key)?,
            storage: storage.collect::<Result<Vec<_>, _>>()?,
        })
    }

    /// Adds to `witness` every node that reading or changing the `touched` keys can request, in any
    /// combination, and the nodes that the roots need.
    ///
    /// These are the nodes on the paths and each direct child of a branch on a path: when deletions
    /// leave a branch with one child, that child takes the branch's place and must be known.
    pub fn collect_witness(
        &self,
        touched: &Touched,
        witness: &mut Witness,
    ) -> Result<(), TrieError> {
        self.accounts.collect_witness(&keccak256(MESSAGE_PASSER), witness)?;
        for (address, slots) in &touched.accounts {
            let key = keccak256(address);
            self.accounts.collect_witness(&key, witness)?;
            let Some(trie) = self.storages.get(&key) else { continue };
            for slot in slots {
                trie.collect_witness(&keccak256(slot.to_be_bytes::<32>()), witness)?;
            }
        }
        Ok(())
    }

    fn leaf(
        &mut self,
        key: &B256,
        source: &mut impl NodeSource,
    ) -> Result<Option<AccountLeaf>, TrieError> {
        decode_leaf(key, self.accounts.get(key, source)?)
    }

    fn peek_leaf(&self, key: &B256) -> Result<Option<AccountLeaf>, TrieError> {
        decode_leaf(key, self.accounts.peek(key)?)
    }
}

fn storage_root(leaf: Option<AccountLeaf>) -> B256 {
    leaf.map_or(EMPTY_ROOT, |leaf| leaf.storage_root)
}

fn decode_leaf(key: &B256, value: Option<&[u8]>) -> Result<Option<AccountLeaf>, TrieError> {
    let Some(value) = value else { return Ok(None) };
    AccountLeaf::from_rlp(value).map(Some).ok_or(TrieError::InvalidValue { key: *key })
}

fn slot_value(key: &B256, value: Option<&[u8]>) -> Result<U256, TrieError> {
    let Some(value) = value else { return Ok(U256::ZERO) };
    alloy_rlp::decode_exact(value).map_err(|_| TrieError::InvalidValue { key: *key })
}

fn storage_proof(trie: &Trie, slot: U256) -> Result<StorageProof, TrieError> {
    let key = keccak256(slot.to_be_bytes::<32>());
    let value = slot_value(&key, trie.peek(&key)?)?;
    Ok(StorageProof { slot, value, proof: trie.proof(&key)? })
}
