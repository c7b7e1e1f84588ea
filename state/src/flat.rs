//! All accounts, slots and codes in hash tables: what the full node executes on.
//!
//! Reads take `&self` and no lock, so any number of workers can share one state. Nothing here is
//! authenticated, and nothing iterates the tables.

use alloy_primitives::{
    Address, B256, Bytes, KECCAK256_EMPTY, U256,
    map::{AddressMap, B256Map, Entry, HashMap},
};
use core::convert::Infallible;
use revm_bytecode::Bytecode;

use crate::{Account, AccountDiff, StateDiff, StateView, StorageId};

/// An account with its storage.
#[derive(Clone, Debug, Default)]
pub struct FlatAccount {
    /// Nonce, balance and code hash.
    pub account: Account,
    /// Slots that are not zero.
    pub slots: HashMap<U256, U256>,
}

/// The whole state, unauthenticated.
///
/// Invariant: the code of every account is stored, and no stored slot is zero.
#[derive(Clone, Debug, Default)]
pub struct FlatState {
    accounts: AddressMap<FlatAccount>,
    codes: B256Map<Bytecode>,
}

impl FlatState {
    /// The state without accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The account at `address`.
    #[must_use]
    pub fn account(&self, address: &Address) -> Option<Account> {
        self.accounts.get(address).map(|entry| entry.account)
    }

    /// The account at `address` together with its slots: one look-up for many reads.
    #[must_use]
    pub fn entry(&self, address: &Address) -> Option<&FlatAccount> {
        self.accounts.get(address)
    }

    /// The value of a slot, zero if unset.
    #[must_use]
    pub fn storage(&self, address: &Address, slot: U256) -> U256 {
        let value = self.accounts.get(address).and_then(|entry| entry.slots.get(&slot));
        value.copied().unwrap_or_default()
    }

    /// The analysed code with this hash, shared; `None` if no account ever had it.
    #[must_use]
    pub fn code(&self, hash: &B256) -> Option<Bytecode> {
        if *hash == KECCAK256_EMPTY {
            return Some(Bytecode::new());
        }
        self.codes.get(hash).cloned()
    }

    /// Number of accounts.
    #[must_use]
    pub fn account_count(&self) -> usize {
        self.accounts.len()
    }

    /// Applies a diff.
    ///
    /// # Panics
    ///
    /// If the diff gives an account a code that is neither stored nor part of the diff: the
    /// state would no longer be one that can be executed.
    pub fn apply(&mut self, diff: &StateDiff) {
        for (hash, code) in &diff.codes {
            self.codes.entry(*hash).or_insert_with(|| analyse(code.clone()));
        }
        for change in &diff.accounts {
            self.apply_account(&change.address, change);
        }
    }

    fn apply_account(&mut self, address: &Address, change: &AccountDiff) {
        let Some(account) = change.account else {
            self.accounts.remove(address);
            return;
        };
        let entry = match self.accounts.entry(*address) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(FlatAccount::default()),
        };
        if account.code_hash != entry.account.code_hash {
            assert!(
                !account.has_code() || self.codes.contains_key(&account.code_hash),
                "invariant: code {} of account {address} is stored",
                account.code_hash
            );
        }
        entry.account = account;
        if change.storage_cleared {
            entry.slots = HashMap::default();
        }
        for (slot, value) in &change.storage {
            if value.is_zero() {
                entry.slots.remove(slot);
            } else {
                entry.slots.insert(*slot, *value);
            }
        }
    }
}

impl StateView for FlatState {
    type Error = Infallible;

    fn account(&mut self, address: &Address) -> Result<Option<(Account, StorageId)>, Infallible> {
        Ok(Self::account(self, address).map(|account| (account, StorageId::default())))
    }

    fn storage(&mut self, address: &Address, _: StorageId, slot: U256) -> Result<U256, Infallible> {
        Ok(Self::storage(self, address, slot))
    }

    fn code(&mut self, hash: &B256) -> Result<Bytecode, Infallible> {
        Ok(Self::code(self, hash).expect("invariant: the code of every account is stored"))
    }
}

/// Shared access to a full state is a view of it, so that many readers can each hold one.
impl StateView for &FlatState {
    type Error = Infallible;

    fn account(&mut self, address: &Address) -> Result<Option<(Account, StorageId)>, Infallible> {
        Ok(FlatState::account(self, address).map(|account| (account, StorageId::default())))
    }

    fn storage(&mut self, address: &Address, _: StorageId, slot: U256) -> Result<U256, Infallible> {
        Ok(FlatState::storage(self, address, slot))
    }

    fn code(&mut self, hash: &B256) -> Result<Bytecode, Infallible> {
        Ok(FlatState::code(self, hash).expect("invariant: the code of every account is stored"))
    }
}

/// Finds the jump destinations of some code. Total: code that starts like an EIP-7702 delegation
/// but is none can only come from genesis, and runs as ordinary code does.
pub(crate) fn analyse(code: Bytes) -> Bytecode {
    Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code))
}
