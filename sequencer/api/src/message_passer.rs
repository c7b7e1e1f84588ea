//! Proofs of the message passer in states that are not kept any more. L1 verifies withdrawals with
//! them.
//!
//! The block's record holds the account proof. The storage only grows, by one slot per message, and
//! the index holds all messages: so this module rebuilds the storage trie and checks its root
//! against
//! the record.

use alloy_primitives::{B256, U256, keccak256};
use turnpike_state::{Account, AccountProof, NoNodes, StorageProof, Trie, TrieError};
use turnpike_storage::{Database, PasserProof, StorageError};

/// Slot of `sentMessages`.
const SENT_SLOT: B256 = B256::ZERO;

/// Slot of the number of messages.
const COUNT_SLOT: U256 = U256::ONE;

/// Why the message passer cannot be proven in an old state.
#[derive(Debug, thiserror::Error)]
pub(super) enum PasserError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Trie(#[from] TrieError),
    #[error(
        "the messages up to block {block} do not make up its storage: root {found}, expected {expected}"
    )]
    Root { block: u64, expected: B256, found: B256 },
}

/// Proves the message passer and some of its slots in the state after `block`. `None` if the
/// block's
/// proof was not kept.
pub(super) async fn proof(
    database: &Database,
    block: u64,
    slots: &[U256],
) -> Result<Option<AccountProof>, PasserError> {
    let Some(kept) = database.passer_proof(block).await? else { return Ok(None) };
    let sent = database.withdrawal_hashes(block).await?;
    tokio::task::block_in_place(|| prove(block, kept, &sent, slots)).map(Some)
}

fn prove(
    block: u64,
    kept: PasserProof,
    sent: &[B256],
    slots: &[U256],
) -> Result<AccountProof, PasserError> {
    let trie = storage_trie(sent)?;
    let PasserProof { nonce, balance, storage_root, code_hash, account_proof } = kept;
    let found = trie.current_root();
    if found != storage_root {
        return Err(PasserError::Root { block, expected: storage_root, found });
    }
    let proven = slots.iter().map(|slot| prove_slot(&trie, *slot));
    let storage = proven.collect::<Result<_, _>>()?;
    let account = Some(Account { nonce, balance, code_hash });
    Ok(AccountProof { account, storage_root, account_proof, storage })
}

fn prove_slot(trie: &Trie, slot: U256) -> Result<StorageProof, TrieError> {
    let key = key_of(slot);
    let invalid = |_| TrieError::InvalidValue { key };
    let value = trie.peek(&key)?.map(alloy_rlp::decode_exact).transpose().map_err(invalid)?;
    Ok(StorageProof { slot, value: value.unwrap_or_default(), proof: trie.proof(&key)? })
}

/// The message passer's storage after these messages.
fn storage_trie(sent: &[B256]) -> Result<Trie, TrieError> {
    let mut trie = Trie::new();
    for hash in sent {
        let slot = keccak256([hash.as_slice(), SENT_SLOT.as_slice()].concat());
        trie.insert(&key_of(slot.into()), &alloy_rlp::encode(true), &mut NoNodes)?;
    }
    if !sent.is_empty() {
        let count = alloy_rlp::encode(U256::from(sent.len()));
        trie.insert(&key_of(COUNT_SLOT), &count, &mut NoNodes)?;
    }
    trie.root();
    Ok(trie)
}

fn key_of(slot: U256) -> B256 {
    keccak256(slot.to_be_bytes::<32>())
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use turnpike_protocol::predeploys::MESSAGE_PASSER;
    use turnpike_state::{AccountDiff, NodeState, StateDiff};

    use super::*;

    /// A state in which these messages were sent.
    fn state(sent: &[B256]) -> NodeState {
        let mut storage: Vec<_> = sent
            .iter()
            .map(|hash| (keccak256([hash.0, [0; 32]].concat()).into(), U256::ONE))
            .collect();
        storage.push((U256::ONE, U256::from(sent.len())));
        storage.retain(|(_, value)| !value.is_zero());
        storage.sort();
        let account = |nonce, storage| (Account { nonce, ..Account::default() }, storage);
        let accounts = [
            (MESSAGE_PASSER, account(1, storage)),
            (Address::repeat_byte(3), account(2, Vec::new())),
        ];
        let mut diff = StateDiff::default();
        for (address, (account, storage)) in accounts {
            diff.accounts.push(AccountDiff {
                address,
                account: Some(account),
                storage_cleared: false,
                storage,
            });
        }
        diff.accounts.sort_by_key(|change| change.address);
        NodeState::from_genesis(&diff).0
    }

    #[test]
    fn rebuilt_proof_equals_the_original() {
        for count in [0usize, 1, 2, 40] {
            let sent: Vec<_> = (0..count).map(|n| keccak256(n.to_be_bytes())).collect();
            let mut slots: Vec<U256> =
                sent.iter().map(|hash| keccak256([hash.0, [0; 32]].concat()).into()).collect();
            // The counter, and one that is not there.
            slots.extend([U256::ONE, U256::from(77)]);
            let expected = state(&sent).proof(&MESSAGE_PASSER, &slots);
            let kept = PasserProof {
                nonce: 1,
                balance: U256::ZERO,
                storage_root: expected.storage_root,
                code_hash: expected.account.expect("there").code_hash,
                account_proof: expected.account_proof.clone(),
            };
            assert_eq!(prove(9, kept.clone(), &sent, &slots).expect("fits"), expected);
            if count > 0 {
                let missing = prove(9, kept, &sent[1..], &slots);
                assert!(matches!(missing, Err(PasserError::Root { block: 9, .. })));
            }
        }
    }
}
