//! The state before a measured block, convertible to each implementation's own form.

use alloy_primitives::{Address, B256, U256, map::AddressMap};
use revm::{
    database::{CacheDB, EmptyDB},
    state::{AccountInfo, Bytecode},
};
use turnpike_state::{Account, AccountDiff, FlatState, StateDiff};

/// An account of the pre-state.
#[derive(Clone, Debug)]
pub struct PreStateAccount {
    /// Address.
    pub address: Address,
    /// Nonce.
    pub nonce: u64,
    /// Balance, in wei.
    pub balance: U256,
    /// Hash of the code.
    pub code_hash: B256,
    /// Analysed code, shared between clones.
    pub code: Bytecode,
    /// Slots that are not zero, in order.
    pub storage: Vec<(U256, U256)>,
}

/// The state before the measured block, from which every implementation starts.
#[derive(Clone, Debug, Default)]
pub struct PreState {
    /// All accounts, by address.
    pub accounts: Vec<PreStateAccount>,
}

impl PreState {
    /// The content of a revm database.
    pub(crate) fn of_db(db: &CacheDB<EmptyDB>) -> Self {
        let accounts = db.cache.accounts.iter();
        let accounts =
            accounts.filter(|(_, account)| account.info().is_some_and(|info| !info.is_empty()));
        Self::of(accounts.map(|(address, account)| {
            let code = account.info.code.clone().filter(|code| !code.is_empty());
            let code = code.or_else(|| db.cache.contracts.get(&account.info.code_hash).cloned());
            let slots = account.storage.iter().filter(|(_, value)| !value.is_zero());
            PreStateAccount {
                address: *address,
                nonce: account.info.nonce,
                balance: account.info.balance,
                code_hash: account.info.code_hash,
                code: code.unwrap_or_default(),
                storage: slots.map(|(slot, value)| (*slot, *value)).collect(),
            }
        }))
    }

    /// The content of a Turnpike state.
    pub(crate) fn of_flat(flat: &FlatState) -> Self {
        let mut storages = AddressMap::<Vec<(U256, U256)>>::default();
        for (address, slot, value) in flat.iter_slots() {
            storages.entry(address).or_default().push((slot, value));
        }
        Self::of(flat.iter_accounts().map(|(address, account)| {
            let Account { nonce, balance, code_hash } = account;
            let code = flat.code(&code_hash).unwrap_or_default();
            let storage = storages.remove(&address).unwrap_or_default();
            PreStateAccount { address, nonce, balance, code_hash, code, storage }
        }))
    }

    fn of(accounts: impl Iterator<Item = PreStateAccount>) -> Self {
        let mut accounts: Vec<_> = accounts.collect();
        accounts.sort_unstable_by_key(|account| account.address);
        for account in &mut accounts {
            account.storage.sort_unstable();
        }
        Self { accounts }
    }

    /// The account at this address.
    pub(crate) fn account(&self, address: &Address) -> Option<&PreStateAccount> {
        let index = self.accounts.binary_search_by_key(address, |account| account.address);
        index.ok().map(|index| &self.accounts[index])
    }

    /// A revm in-memory database with this state.
    pub(crate) fn cache_db(&self) -> CacheDB<EmptyDB> {
        let mut db = CacheDB::new(EmptyDB::new());
        for account in &self.accounts {
            let PreStateAccount { address, nonce, balance, code_hash, .. } = *account;
            let info = AccountInfo::new(balance, nonce, code_hash, account.code.clone());
            db.insert_account_info(address, info);
            for (slot, value) in &account.storage {
                let Ok(()) = db.insert_account_storage(address, *slot, *value);
            }
        }
        db
    }

    /// A Turnpike flat state with this state.
    pub(crate) fn flat_state(&self) -> FlatState {
        let mut codes = alloy_primitives::map::B256Map::default();
        let mut diff = StateDiff::default();
        for account in &self.accounts {
            let PreStateAccount { address, nonce, balance, code_hash, .. } = *account;
            if !account.code.is_empty() {
                codes.entry(code_hash).or_insert_with(|| account.code.original_bytes());
            }
            diff.accounts.push(AccountDiff {
                address,
                account: Some(Account { nonce, balance, code_hash }),
                storage_cleared: false,
                storage: account.storage.clone(),
            });
        }
        diff.codes = codes.into_iter().collect();
        let mut flat = FlatState::new();
        flat.apply(&diff);
        flat
    }
}
