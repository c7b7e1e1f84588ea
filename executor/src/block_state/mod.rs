//! The block state: accounts and slots of the open block, and the undo log of the current
//! transaction.
//!
//! revm's own `Journal` starts empty for each transaction and is drained into a map. The block
//! state lives as long as the block. It reads an account from the base state once per block, later
//! transactions see the changes of earlier ones, and ending a transaction takes time only for its
//! own changes.
//!
//! # State
//!
//! ```text
//! base state ──first access──▶ accounts, slots ◀──read, write── revm (`JournalTr`), plain transfers
//!                                │        ▲
//!                         undo entries ───┘ revert        end of block ──▶ StateDiff
//! ```
//!
//! # Invariants
//!
//! - Between transactions `undo` is empty and each entry holds the account as the next transaction
//!   sees it. A destroyed account, or one that is touched and empty (EIP-161), does not exist.
//! - The diff contains exactly the entries that some transaction changed and did not revert.
//! - Outstanding fees are in `credits`. Loading a recipient pays them out first.
//! - Full keys identify accounts and slots. Positions in the vectors are found only through those
//!   keys.
//!
//! # Limits
//!
//! Codes read from the base state are dropped after a transaction once they exceed
//! `CODE_BYTES_MAX`.

mod account;
mod credits;
#[cfg(feature = "std")]
mod deferred;
mod diff;
mod host;
mod index;
#[cfg(feature = "std")]
mod lane;
mod recycled;
mod undo;
mod warm;
mod watch;

use alloc::{collections::BTreeMap, vec::Vec};
use core::hash::{Hash, Hasher};

use alloy_primitives::{Address, B256, Log, U256, map::B256Map};
use revm::{
    Database as _,
    context_interface::journaled_state::JournalLoadError,
    primitives::hardfork::SpecId,
    state::{Account, AccountId, AccountStatus, Bytecode, EvmStorageSlot, TransactionId},
};
use turnpike_state::StateView;

#[cfg(feature = "faults")]
use crate::faults::{self, Fault};
use crate::{
    base::{Base, ViewError},
    profile::Touch,
};
#[cfg(feature = "std")]
pub(crate) use credits::FeeAmounts;
use credits::FeeCredits;
use index::KeyIndex;
#[cfg(feature = "std")]
pub(crate) use lane::{LaneBase, LaneState};
use recycled::RecycledVec;
use undo::Undo;
use warm::WarmSet;

type LoadResult<T, S> = Result<T, JournalLoadError<ViewError<<S as StateView>::Error>>>;

/// Bytes of code from the base state that are kept after a transaction. One block can read more
/// code than the proof machine has memory.
const CODE_BYTES_MAX: usize = 32 << 20;

/// Accounts and slots of the open block. See the module's documentation.
#[derive(Debug)]
pub(crate) struct BlockState<S> {
    base: Base<S>,
    /// revm takes this state at the end of each transaction. It is always empty, because the block
    /// state keeps the changes itself.
    state: (),
    tables: Tables,
    /// The account that was found last. A contract's code accesses its own account repeatedly.
    last: Option<(Address, usize)>,
    spaces: usize,
    codes: B256Map<Bytecode>,
    /// Bytes of code that were read from the base state and are kept with their accounts.
    code_bytes: usize,
    credits: FeeCredits,
    // The current transaction.
    transaction: TransactionId,
    logs: Vec<Log>,
    transient: BTreeMap<(usize, U256), U256>,
    /// Accounts whose touch survives a revert.
    stay_touched: Vec<usize>,
    depth: usize,
    warm: WarmSet,
    spec: SpecId,
    /// Accesses of the transaction, if it is observed.
    watched: Option<Vec<Touch>>,
    /// The slot of the parent's hash, while that is deferred and unread.
    #[cfg(feature = "std")]
    deferred: Option<usize>,
}

/// A block state's tables. The next block reuses their memory.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    accounts: RecycledVec<AccountEntry>,
    places: KeyIndex<AddressKey>,
    slots: RecycledVec<SlotEntry>,
    slot_places: KeyIndex<SlotKey>,
    undo: Vec<Undo>,
    /// Values before changes that can be undone, the newest last.
    values: Vec<U256>,
    /// Scratch for the diff: the position of each account in it.
    positions: Vec<Option<usize>>,
}

impl Tables {
    /// The position of an account.
    #[inline]
    fn place(&self, address: &Address) -> Option<usize> {
        self.places.find(&AddressKey(*address), |at| self.accounts[at].address == *address)
    }

    /// Keys of the known slots of a storage.
    #[cfg(feature = "faults")]
    fn keys(&self, space: usize) -> impl Iterator<Item = U256> {
        let slots = self.slots.as_slice().iter();
        slots.filter(move |slot| slot.space == space).map(|slot| slot.key)
    }

    fn clear(&mut self) {
        let Self { accounts, places, slots, slot_places, undo, values, positions } = self;
        accounts.clear();
        places.clear();
        slots.clear();
        slot_places.clear();
        undo.clear();
        values.clear();
        positions.clear();
    }
}

/// An account and its changes in this block.
#[derive(Debug, Default)]
struct AccountEntry {
    address: Address,
    /// The account as revm sees it, without its storage. [`Tables::slots`] holds the storage.
    account: Account,
    /// Whether the base state has the account.
    in_base: bool,
    /// Whether it exists after the transactions so far.
    exists: bool,
    /// Whether slots missing in [`Tables::slots`] have their values from the base state. Otherwise
    /// the missing slots are zero.
    base_storage: bool,
    /// Id of the account's current storage. Creating or destroying the account starts a new
    /// storage.
    space: usize,
    /// Whether the account's storage in the base state was cleared.
    cleared: bool,
    /// Whether nonce, balance, code or existence changed.
    changed: bool,
    /// Whether a slot changed.
    slots_changed: bool,
    /// The account's position among the fee recipients, if it is one.
    credit: Option<usize>,
    /// Whether this lane owns the account: no other lane was expected to change it.
    owned: bool,
}

/// An address that is hashed word by word, which is faster than byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct AddressKey(Address);

impl Hash for AddressKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (words, rest) = self.0.as_chunks::<8>();
        words.iter().for_each(|word| state.write_u64(u64::from_le_bytes(*word)));
        rest.as_chunks::<4>().0.iter().for_each(|word| state.write_u32(u32::from_le_bytes(*word)));
    }
}

/// A slot's full key, hashed word by word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SlotKey {
    space: usize,
    key: U256,
}

impl Hash for SlotKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.space);
        self.key.as_limbs().iter().for_each(|limb| state.write_u64(*limb));
    }
}

/// A slot of an account's storage.
#[derive(Debug, Default)]
struct SlotEntry {
    owner: usize,
    space: usize,
    key: U256,
    value: EvmStorageSlot,
    changed: bool,
    /// Whether this lane owns the slot.
    owned: bool,
}

impl<S: StateView> BlockState<S> {
    pub(crate) fn with_base(base: Base<S>) -> Self {
        let mut transaction = TransactionId::ZERO;
        // New slots have id zero and would be warm in a transaction with that id, so no transaction
        // has it.
        transaction.increment();
        Self {
            base,
            state: (),
            tables: Tables::default(),
            last: None,
            spaces: 0,
            codes: B256Map::default(),
            code_bytes: 0,
            credits: FeeCredits::default(),
            transaction,
            logs: Vec::new(),
            transient: BTreeMap::new(),
            stay_touched: Vec::new(),
            depth: 0,
            warm: WarmSet::default(),
            spec: SpecId::default(),
            watched: None,
            #[cfg(feature = "std")]
            deferred: None,
        }
    }

    /// Reuses the memory of an earlier block's tables. Call it before any account is loaded.
    pub(crate) fn reuse(&mut self, tables: Tables) {
        assert!(
            self.tables.accounts.len() == 0,
            "invariant: tables are reused before any account is loaded"
        );
        self.tables = tables;
        self.tables.clear();
    }

    /// The position of an account, if it is loaded.
    fn find(&mut self, address: &Address) -> Option<usize> {
        if let Some((last, at)) = self.last
            && last == *address
        {
            return Some(at);
        }
        let at = self.tables.place(address)?;
        self.last = Some((*address, at));
        Some(at)
    }

    /// The position of an account that revm has loaded.
    fn loaded(&mut self, address: &Address) -> usize {
        self.find(address).expect("invariant: revm loads an account before it changes it")
    }

    /// The position of an account. Reads it from the base state if necessary. The account stays
    /// cold until [`Self::load`].
    pub(crate) fn place(&mut self, address: Address) -> Result<usize, ViewError<S::Error>> {
        match self.find(&address) {
            Some(at) => Ok(at),
            None => self.insert(address),
        }
    }

    /// Prefetches accounts that are likely to be loaded next.
    pub(crate) fn prefetch(&mut self, addresses: &[Address]) {
        self.base.prefetch(addresses);
    }

    /// Prefetches slots that are likely to be loaded next.
    pub(crate) fn prefetch_slots(&mut self, slots: &[(Address, U256)]) {
        self.base.prefetch_slots(slots);
    }

    /// The nonce of an account after the transactions so far.
    pub(crate) fn nonce_of(&mut self, address: Address) -> Result<u64, ViewError<S::Error>> {
        let at = self.place(address)?;
        Ok(self.tables.accounts[at].account.info.nonce)
    }

    fn insert(&mut self, address: Address) -> Result<usize, ViewError<S::Error>> {
        let found = self.base.account(&address)?;
        let at = self.tables.accounts.len();
        let entry = self.tables.accounts.add(AccountEntry::default);
        let in_base = found.is_some();
        let (account, id) = found.unwrap_or_default();
        // The pattern names every field, so that a recycled entry keeps none of its old values.
        let AccountEntry {
            address: entry_address,
            account: Account { info, transaction_id, .. },
            in_base: entry_in_base,
            exists,
            base_storage,
            space,
            cleared,
            changed,
            slots_changed,
            credit,
            owned,
        } = entry;
        info.nonce = account.nonce;
        info.balance = account.balance;
        info.code_hash = account.code_hash;
        info.account_id = AccountId::new(id.index());
        info.code = None;
        *transaction_id = TransactionId::ZERO;
        *entry_address = address;
        (*entry_in_base, *exists, *base_storage) = (in_base, in_base, in_base);
        (*cleared, *changed, *slots_changed, *owned) = (false, false, false, false);
        *space = self.spaces;
        *credit = self.credits.position(&address);
        self.spaces += 1;
        self.tables.places.insert(AddressKey(address), at);
        self.last = Some((address, at));
        Ok(at)
    }

    /// Loads an account for the current transaction. Returns whether the access was cold
    /// (EIP-2929).
    fn load(&mut self, address: Address, skip_cold: bool) -> LoadResult<(usize, bool), S> {
        let at = match self.find(&address) {
            Some(at) => at,
            None => {
                if skip_cold && self.warm.is_cold(&address) {
                    return Err(JournalLoadError::ColdLoadSkipped);
                }
                self.insert(address)?
            }
        };
        let entry = &self.tables.accounts[at];
        if !entry.account.is_cold_transaction_id(self.transaction) {
            return Ok((at, false));
        }
        let is_cold = self.warm.is_cold(&address);
        if is_cold && skip_cold {
            return Err(JournalLoadError::ColdLoadSkipped);
        }
        if entry.account.transaction_id != self.transaction {
            self.begin(at);
        }
        self.tables.accounts[at].account.mark_warm_with_transaction_id(self.transaction);
        self.tables.undo.push(Undo::Warmed(at));
        Ok((at, is_cold))
    }

    /// Prepares an account for its first access in a transaction.
    fn begin(&mut self, at: usize) {
        self.collect_credit(at);
        let entry = &mut self.tables.accounts[at];
        entry.account.status =
            if entry.exists { AccountStatus::empty() } else { AccountStatus::LoadedAsNotExisting };
    }

    /// Reads the code of a loaded account, if it was not read yet.
    fn load_code(&mut self, at: usize) -> Result<(), ViewError<S::Error>> {
        let info = &mut self.tables.accounts[at].account.info;
        if info.code.is_some() {
            return Ok(());
        }
        info.code = Some(if info.is_empty_code_hash() {
            Bytecode::default()
        } else {
            match self.codes.get(&info.code_hash) {
                Some(code) => code.clone(),
                None => {
                    let code = self.base.code_by_hash(info.code_hash)?;
                    self.code_bytes += code.len();
                    code
                }
            }
        });
        Ok(())
    }

    /// Length of a loaded account's code, without reading the code.
    pub(crate) fn code_len(&mut self, address: &Address) -> Result<usize, ViewError<S::Error>> {
        let at = self.loaded(address);
        let info = &self.tables.accounts[at].account.info;
        if info.is_empty_code_hash() {
            return Ok(0);
        }
        match info.code.as_ref().or_else(|| self.codes.get(&info.code_hash)) {
            Some(code) => Ok(code.len()),
            None => self.base.code_len(&info.code_hash),
        }
    }

    /// Loads a slot of a loaded account. Returns whether the access was cold.
    fn load_slot(
        &mut self,
        owner: usize,
        key: U256,
        skip_cold: bool,
    ) -> LoadResult<(usize, bool), S> {
        let entry = &self.tables.accounts[owner];
        let (address, space) = (entry.address, entry.space);
        #[cfg(feature = "faults")]
        let key = faults::taken_for(Fault::KeyTruncated, key, self.tables.keys(space));
        let Tables { slots, slot_places, .. } = &self.tables;
        let is_key = |at: usize| slots[at].space == space && slots[at].key == key;
        let at = match slot_places.find(&SlotKey { space, key }, is_key) {
            Some(at) => at,
            None => {
                if skip_cold && !self.warm.has_slot(&address, &key) {
                    return Err(JournalLoadError::ColdLoadSkipped);
                }
                let value = match (entry.base_storage, entry.account.info.account_id) {
                    (false, _) => U256::ZERO,
                    (true, Some(id)) => self.base.storage_by_account_id(address, id, key)?,
                    (true, None) => self.base.storage(address, key)?,
                };
                self.insert_slot(owner, space, key, value)
            }
        };
        if !self.tables.slots[at].value.is_cold_transaction_id(self.transaction) {
            return Ok((at, false));
        }
        let is_cold = !self.warm.has_slot(&address, &key);
        if is_cold && skip_cold {
            return Err(JournalLoadError::ColdLoadSkipped);
        }
        #[cfg(feature = "std")]
        if self.deferred == Some(at) {
            self.resolve();
        }
        let slot = &mut self.tables.slots[at].value;
        slot.mark_warm_with_transaction_id(self.transaction);
        if is_cold {
            self.tables.undo.push(Undo::SlotWarmed(at));
        }
        Ok((at, is_cold))
    }

    fn insert_slot(&mut self, owner: usize, space: usize, key: U256, value: U256) -> usize {
        let at = self.tables.slots.len();
        let slot = self.tables.slots.add(SlotEntry::default);
        *slot = SlotEntry {
            owner,
            space,
            key,
            value: EvmStorageSlot::new(value, TransactionId::ZERO),
            changed: false,
            owned: false,
        };
        self.tables.slot_places.insert(SlotKey { space, key }, at);
        at
    }

    fn touch(&mut self, at: usize) {
        let account = &mut self.tables.accounts[at].account;
        if !account.is_touched() {
            account.mark_touch();
            self.tables.undo.push(Undo::Touched(at));
        }
    }

    /// Sets a balance and touches the account.
    fn set_balance(&mut self, at: usize, balance: U256) {
        self.touch(at);
        let info = &mut self.tables.accounts[at].account.info;
        if info.balance != balance {
            self.tables.values.push(info.balance);
            self.tables.undo.push(Undo::Balance(at));
            info.balance = balance;
        }
    }

    /// Sets a nonce and touches the account.
    fn set_nonce(&mut self, at: usize, nonce: u64) {
        self.touch(at);
        let info = &mut self.tables.accounts[at].account.info;
        self.tables.values.push(U256::from(info.nonce));
        self.tables.undo.push(Undo::Nonce(at));
        info.nonce = nonce;
    }

    /// Sets a code and touches the account.
    fn set_code(&mut self, at: usize, code: Bytecode, hash: B256) {
        self.touch(at);
        let info = &mut self.tables.accounts[at].account.info;
        let (old_hash, old_code) = info.set_code_and_hash(code, hash);
        let code = alloc::boxed::Box::new((at, old_hash, old_code));
        self.tables.undo.push(Undo::Code(code));
    }

    /// Starts a new storage in which every slot is zero.
    fn renew_storage(&mut self, at: usize) {
        let entry = &mut self.tables.accounts[at];
        entry.space = self.spaces;
        entry.base_storage = false;
        self.spaces += 1;
    }
}
