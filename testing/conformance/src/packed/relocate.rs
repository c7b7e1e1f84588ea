//! Moves a state test to its own addresses.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use turnpike_executor::{BlockTransaction as _, TxEnv};
use turnpike_protocol::ecrecover;

use super::RelocatedTransaction;
use crate::{execute::PreAccount, state_test::StateCase};

/// An address whose first bytes, this many, are all zero is short: test authors made it up.
const PREFIX_BYTES: usize = 8;

const ADDRESS_BYTES: usize = 20;

/// New addresses of a case's accounts, by their old ones.
struct Relocation(BTreeMap<Address, Address>);

/// Moves a case to its own addresses: its accounts, and every mention of them in code, storage,
/// calldata and access lists. Short addresses stay, because code can spell them in many ways.
pub(super) fn relocate(
    case: StateCase,
    index: u16,
) -> (BTreeMap<Address, PreAccount>, RelocatedTransaction) {
    let StateCase { accounts, transaction, header, .. } = case;
    let sender = transaction.sender().expect("invariant: packed cases have a sender");
    let env = transaction.tx_env(sender, &mut ecrecover);
    let named = accounts.keys().copied().chain([sender]).chain(env.kind.into_to());
    let movable = named.filter(|address| {
        *address != header.beneficiary && address[..PREFIX_BYTES].iter().any(|byte| *byte != 0)
    });
    let moves = Relocation(movable.map(|address| (address, moved(address, index))).collect());
    let hash = B256::from(U256::from(index));
    let env = moves.transaction(env);
    let accounts = accounts.into_iter();
    let accounts =
        accounts.map(|(address, account)| (moves.address(address), moves.account(account)));
    (accounts.collect(), RelocatedTransaction { env, hash })
}

fn moved(address: Address, index: u16) -> Address {
    let mut bytes = address.0.0;
    let [high, low] = index.to_be_bytes();
    bytes[0] ^= high;
    bytes[1] ^= low;
    bytes.into()
}

impl Relocation {
    fn address(&self, address: Address) -> Address {
        self.0.get(&address).copied().unwrap_or(address)
    }

    /// Replaces every moved address in these bytes.
    fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut moved = bytes.to_vec();
        let mut at = 0;
        while let Some(window) = bytes.get(at..at + ADDRESS_BYTES) {
            match self.0.get(&Address::from_slice(window)) {
                Some(address) => {
                    moved[at..at + ADDRESS_BYTES].copy_from_slice(address.as_slice());
                    at += ADDRESS_BYTES;
                }
                None => at += 1,
            }
        }
        moved
    }

    fn word(&self, word: U256) -> U256 {
        U256::from_be_slice(&self.bytes(&word.to_be_bytes::<32>()))
    }

    fn account(&self, account: PreAccount) -> PreAccount {
        let PreAccount { balance, nonce, code, storage } = account;
        let storage = storage.into_iter();
        let storage = storage.map(|(slot, value)| (self.word(slot), self.word(value))).collect();
        PreAccount { balance, nonce, code: self.bytes(&code).into(), storage }
    }

    fn transaction(&self, mut env: TxEnv) -> TxEnv {
        env.caller = self.address(env.caller);
        env.kind = match env.kind {
            TxKind::Call(to) => TxKind::Call(self.address(to)),
            TxKind::Create => TxKind::Create,
        };
        env.data = Bytes::from(self.bytes(&env.data));
        for item in &mut env.access_list.0 {
            item.address = self.address(item.address);
        }
        env
    }
}
