use alloc::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, map::HashMap};
use revm::{
    Database,
    database_interface::DBErrorMarker,
    state::{AccountInfo, Bytecode, EvmState},
};
use turnpike_protocol::{history_slot, predeploys::HISTORY_STORAGE};
use turnpike_state::{Account, AccountDiff, StateDiff, StateView};

/// A state view's error, in the form that revm wants.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct ViewError<E: core::error::Error>(pub(crate) E);

impl<E: core::error::Error + Send + Sync + 'static> DBErrorMarker for ViewError<E> {}

/// What a block has changed so far, over the state it started from: the database that revm sees.
#[derive(Debug)]
pub(crate) struct Overlay<S> {
    base: S,
    accounts: HashMap<Address, Changed>,
    codes: HashMap<B256, Bytecode>,
}

#[derive(Debug, Default)]
struct Changed {
    account: Option<Account>,
    storage_cleared: bool,
    storage: HashMap<U256, U256>,
}

impl<S> Overlay<S> {
    pub(crate) fn new(base: S) -> Self {
        Self { base, accounts: HashMap::default(), codes: HashMap::default() }
    }

    /// Takes over what one transaction changed.
    pub(crate) fn absorb(&mut self, changes: EvmState) {
        for (address, account) in changes {
            if !account.is_touched() {
                continue;
            }
            if account.is_selfdestructed() || account.is_empty() {
                let existed = !account.is_loaded_as_not_existing();
                if existed || self.accounts.contains_key(&address) {
                    self.accounts
                        .insert(address, Changed { storage_cleared: true, ..Default::default() });
                }
                continue;
            }
            let slots =
                account.changed_storage_slots().map(|(key, slot)| (*key, slot.present_value));
            let slots: HashMap<U256, U256> = slots.collect();
            let created = account.is_created();
            if slots.is_empty() && !created && account.info == account.original_info() {
                continue;
            }
            let is_new_code = account.info.code_hash != account.original_info().code_hash;
            if let Some(code) = account.info.code.filter(|code| is_new_code && !code.is_empty()) {
                self.codes.entry(account.info.code_hash).or_insert(code);
            }
            let changed = self.accounts.entry(address).or_default();
            changed.account = Some(Account {
                nonce: account.info.nonce,
                balance: account.info.balance,
                code_hash: account.info.code_hash,
            });
            if created {
                changed.storage_cleared = true;
                changed.storage.clear();
            }
            changed.storage.extend(slots);
        }
    }

    /// All changes, in the order of addresses and slots.
    pub(crate) fn into_diff(self) -> StateDiff {
        let accounts = self
            .accounts
            .into_iter()
            .map(|(address, changed)| {
                let storage: BTreeMap<U256, U256> = changed.storage.into_iter().collect();
                let Changed { account, storage_cleared, .. } = changed;
                (address, AccountDiff { account, storage_cleared, storage })
            })
            .collect();
        let codes = self
            .codes
            .into_iter()
            .map(|(hash, code)| (hash, Bytes::copy_from_slice(code.original_byte_slice())))
            .collect();
        StateDiff { accounts, codes }
    }
}

impl<S: StateView> Database for Overlay<S> {
    type Error = ViewError<S::Error>;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Self::Error> {
        let account = match self.accounts.get(&address) {
            Some(changed) => changed.account,
            None => self.base.account(&address).map_err(ViewError)?,
        };
        Ok(account.map(|Account { nonce, balance, code_hash }| AccountInfo {
            nonce,
            balance,
            code_hash,
            ..AccountInfo::default().without_code()
        }))
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, Self::Error> {
        match self.codes.get(&code_hash) {
            Some(code) => Ok(code.clone()),
            None => self.base.code(&code_hash).map_err(ViewError),
        }
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, Self::Error> {
        if let Some(changed) = self.accounts.get(&address) {
            if let Some(value) = changed.storage.get(&slot) {
                return Ok(*value);
            }
            if changed.storage_cleared {
                return Ok(U256::ZERO);
            }
        }
        self.base.storage(&address, slot).map_err(ViewError)
    }

    /// Block hashes come from the EIP-2935 contract, which is part of the state: nothing else to be given or proven.
    fn block_hash(&mut self, number: u64) -> Result<B256, Self::Error> {
        self.storage(HISTORY_STORAGE, history_slot(number)).map(B256::from)
    }
}
