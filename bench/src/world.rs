use alloy_primitives::{Address, U256, map::AddressMap};
use revm::{
    database::{CacheDB, EmptyDB},
    state::{AccountInfo, Bytecode},
};
use turnpike_protocol::GenesisAccount;

/// An account before the measured block.
#[derive(Clone, Debug)]
pub struct WorldAccount {
    /// Where it is.
    pub address: Address,
    /// Its nonce.
    pub nonce: u64,
    /// Its balance, in wei.
    pub balance: U256,
    /// Its code, analysed and shared.
    pub code: Bytecode,
    /// Its slots that are not zero.
    pub storage: Vec<(U256, U256)>,
}

/// The state before the measured block: what every implementation starts from.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// All accounts, in the order of their addresses.
    pub accounts: Vec<WorldAccount>,
}

impl World {
    /// What a database holds.
    pub(crate) fn of(db: &CacheDB<EmptyDB>) -> Self {
        let mut accounts: Vec<_> = db
            .cache
            .accounts
            .iter()
            .filter(|(_, account)| account.info().is_some_and(|info| !info.is_empty()))
            .map(|(address, account)| {
                let code = account.info.code.clone().filter(|code| !code.is_empty());
                let code =
                    code.or_else(|| db.cache.contracts.get(&account.info.code_hash).cloned());
                let slots = account.storage.iter().filter(|(_, value)| !value.is_zero());
                let mut storage: Vec<_> = slots.map(|(slot, value)| (*slot, *value)).collect();
                storage.sort_unstable();
                WorldAccount {
                    address: *address,
                    nonce: account.info.nonce,
                    balance: account.info.balance,
                    code: code.unwrap_or_default(),
                    storage,
                }
            })
            .collect();
        accounts.sort_unstable_by_key(|account| account.address);
        Self { accounts }
    }

    /// The accounts by address.
    pub(crate) fn index(&self) -> AddressMap<&WorldAccount> {
        self.accounts.iter().map(|account| (account.address, account)).collect()
    }

    /// revm's in-memory database with everything in it.
    pub(crate) fn cache_db(&self) -> CacheDB<EmptyDB> {
        let mut db = CacheDB::new(EmptyDB::new());
        for account in &self.accounts {
            let WorldAccount { address, nonce, balance, .. } = *account;
            let info = AccountInfo::from_bytecode(account.code.clone());
            db.insert_account_info(address, info.with_balance(balance).with_nonce(nonce));
            for (slot, value) in &account.storage {
                let Ok(()) = db.insert_account_storage(address, *slot, *value);
            }
        }
        db
    }

    /// The accounts as a genesis file has them.
    pub(crate) fn genesis_accounts(&self) -> impl Iterator<Item = (Address, GenesisAccount)> {
        self.accounts.iter().map(|account| {
            let genesis = GenesisAccount {
                balance: account.balance,
                nonce: account.nonce,
                code: account.code.original_bytes(),
                storage: account.storage.iter().copied().collect(),
            };
            (account.address, genesis)
        })
    }
}
