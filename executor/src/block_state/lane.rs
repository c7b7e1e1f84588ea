//! Start and end of a lane: the state that it reads, the changes that it leaves, and how the block
//! absorbs them.

use alloy_primitives::{Address, B256, U256, map::B256Map};
use revm::state::{Account as RevmAccount, Bytecode, TransactionId};
use turnpike_state::{Account, PrecompileOutcome, StateDiff, StateView, StorageId};

use super::{AccountEntry, BlockState, SlotEntry, SlotKey, Tables, credits::FeeAmounts};
#[cfg(feature = "faults")]
use crate::faults::{self, Fault};
use crate::{
    base::ViewError,
    profile::{StateKey, Touch},
};

/// The state in the middle of a block, as lanes read it: the block's changes so far on top of the
/// state before it.
#[derive(Debug)]
pub(crate) struct LaneBase<'a, S> {
    block: &'a BlockState<S>,
    base: S,
}

impl<'a, S: Copy> LaneBase<'a, S> {
    pub(crate) const fn new(block: &'a BlockState<S>, base: S) -> Self {
        Self { block, base }
    }
}

impl<S: Copy> Clone for LaneBase<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Copy> Copy for LaneBase<'_, S> {}

impl<S: StateView + Copy> StateView for LaneBase<'_, S> {
    type Error = S::Error;

    #[inline]
    fn account(&mut self, address: &Address) -> Result<Option<(Account, StorageId)>, S::Error> {
        match self.block.tables.entry(address) {
            Some(entry) => Ok(entry.exists.then(|| entry.settled())),
            None => self.base.account(address),
        }
    }

    #[inline]
    fn storage(&mut self, address: &Address, id: StorageId, slot: U256) -> Result<U256, S::Error> {
        match self.block.tables.entry(address) {
            Some(entry) => match self.block.tables.slot(entry.space, slot) {
                Some(at) => Ok(self.block.value_of(at)),
                None if entry.base_storage => self.base.storage(address, id, slot),
                None => Ok(U256::ZERO),
            },
            None => self.base.storage(address, id, slot),
        }
    }

    fn has_storage(&mut self, address: &Address) -> bool {
        match self.block.tables.entry(address) {
            Some(entry) if !entry.base_storage => false,
            _ => self.base.has_storage(address),
        }
    }

    fn code(&mut self, hash: &B256) -> Result<Bytecode, S::Error> {
        match self.block.codes.get(hash) {
            Some(code) => Ok(code.clone()),
            None => self.base.code(hash),
        }
    }

    fn prefetch(&mut self, addresses: &[Address]) {
        self.base.prefetch(addresses);
    }

    fn prefetch_slots(&mut self, slots: &[(Address, U256)]) {
        self.base.prefetch_slots(slots);
    }

    fn precompile(&mut self, address: &Address, input: &[u8]) -> Option<PrecompileOutcome> {
        self.base.precompile(address, input)
    }
}

impl Tables {
    #[inline]
    fn entry(&self, address: &Address) -> Option<&AccountEntry> {
        self.place(address).map(|at| &self.accounts[at])
    }

    #[inline]
    pub(super) fn slot(&self, space: usize, key: U256) -> Option<usize> {
        #[cfg(feature = "faults")]
        let key = faults::taken_for(Fault::LaneKeyTruncated, key, self.keys(space));
        let is_key = |at: usize| self.slots[at].space == space && self.slots[at].key == key;
        self.slot_places.find(&SlotKey { space, key }, is_key)
    }
}

impl Tables {
    fn changes(&self, address: &Address) -> bool {
        self.entry(address).is_some_and(AccountEntry::has_changed)
    }

    fn changed_accounts(&self) -> impl Iterator<Item = &Address> {
        let entries = self.accounts.as_slice().iter();
        entries.filter(|entry| entry.has_changed()).map(|entry| &entry.address)
    }
}

impl AccountEntry {
    /// The account as it is between transactions.
    fn settled(&self) -> (Account, StorageId) {
        let RevmAccount { info, .. } = &self.account;
        let account =
            Account { nonce: info.nonce, balance: info.balance, code_hash: info.code_hash };
        let id = info.account_id.map(|id| StorageId::at(id.get())).unwrap_or_default();
        (account, id)
    }
}

/// The result of a lane: its accesses and its changes.
#[derive(Debug, Default)]
pub(crate) struct LaneState {
    tables: Tables,
    codes: B256Map<Bytecode>,
    /// Fees paid. `None` if the lane's outcome depends on other lanes.
    credits: Option<FeeAmounts>,
}

impl<S: StateView> BlockState<S> {
    /// Marks an account as owned by this lane, if the lane accessed it.
    #[inline]
    pub(crate) fn mark_account_owned(&mut self, address: &Address) {
        if let Some(at) = self.tables.place(address) {
            self.tables.accounts[at].owned = true;
        }
    }

    /// Marks a slot as owned by this lane, if the lane accessed it.
    #[inline]
    pub(crate) fn mark_slot_owned(&mut self, address: &Address, slot: U256) {
        if let Some(at) = self.tables.place(address)
            && let Some(at) = self.tables.slot(self.tables.accounts[at].space, slot)
        {
            self.tables.slots[at].owned = true;
        }
    }

    /// Id of the next transaction.
    pub(crate) const fn turn(&self) -> TransactionId {
        self.transaction
    }

    /// Whether the transaction `turn` accessed a key and no later transaction did.
    pub(crate) fn was_touched(&self, key: &StateKey, turn: TransactionId) -> bool {
        let Some(entry) = self.tables.entry(&key.address) else { return false };
        match key.slot {
            None => entry.account.transaction_id == turn,
            Some(slot) => self
                .tables
                .slot(entry.space, slot)
                .is_some_and(|at| self.tables.slots[at].value.transaction_id == turn),
        }
    }

    /// Takes the lane's result and starts the next lane in this memory.
    pub(crate) fn next_lane(&mut self, mut memory: Tables) -> LaneState {
        memory.clear();
        let credits = self.take_credits();
        self.last = None;
        self.spaces = 0;
        let tables = core::mem::replace(&mut self.tables, memory);
        LaneState { tables, codes: core::mem::take(&mut self.codes), credits }
    }

    /// Absorbs the changes of a lane that started from this block state.
    pub(crate) fn absorb(&mut self, lane: &LaneState) -> Result<(), ViewError<S::Error>> {
        let LaneState { tables, codes, .. } = lane;
        for (hash, code) in codes {
            self.codes.entry(*hash).or_insert_with(|| code.clone());
        }
        for entry in tables.accounts.as_slice().iter().filter(|entry| entry.changed) {
            let at = self.place(entry.address)?;
            let mine = &mut self.tables.accounts[at];
            let info = &mut mine.account.info;
            info.nonce = entry.account.info.nonce;
            info.balance = entry.account.info.balance;
            if info.code_hash != entry.account.info.code_hash {
                (info.code_hash, info.code) = (entry.account.info.code_hash, None);
            }
            (mine.exists, mine.changed) = (entry.exists, true);
            if entry.cleared {
                mine.cleared = true;
                self.renew_storage(at);
            }
        }
        for slot in tables.slots.as_slice().iter().filter(|slot| slot.changed) {
            #[cfg(feature = "faults")]
            if faults::is(Fault::SlotsForgotten) {
                break;
            }
            let owner = &tables.accounts[slot.owner];
            if owner.space != slot.space || !owner.exists {
                continue;
            }
            let at = self.place(owner.address)?;
            let space = self.tables.accounts[at].space;
            let place = match self.tables.slot(space, slot.key) {
                Some(place) => place,
                None => self.insert_slot(at, space, slot.key, U256::ZERO),
            };
            if self.deferred == Some(place) {
                self.deferred = None;
            }
            let mine = &mut self.tables.slots[place];
            mine.value.present_value = slot.value.present_value;
            mine.changed = true;
            self.tables.accounts[at].slots_changed = true;
        }
        Ok(())
    }

    /// Absorbs a speculative run that started from the same state as this lane, if no key that it
    /// accessed has changed here since. Returns whether it did.
    pub(crate) fn adopt(
        &mut self,
        lane: &LaneState,
        beneficiary: Option<Address>,
    ) -> Result<bool, ViewError<S::Error>> {
        let LaneState { tables, credits: Some(credits), .. } = lane else { return Ok(false) };
        let current = |slot: &&SlotEntry| tables.accounts[slot.owner].space == slot.space;
        let accounts = tables.accounts.as_slice().iter();
        let has_changed = accounts.clone().any(|entry| {
            let mine = self.tables.entry(&entry.address);
            entry.cleared || mine.is_some_and(|mine| mine.changed || mine.credit.is_some())
        }) || tables.slots.as_slice().iter().any(|slot| {
            let owner = self.tables.entry(&tables.accounts[slot.owner].address);
            let mine = owner.and_then(|owner| self.tables.slot(owner.space, slot.key));
            mine.is_some_and(|at| self.tables.slots[at].changed)
        });
        #[cfg(feature = "faults")]
        let has_changed = has_changed && !faults::is(Fault::AdoptUnchecked);
        if has_changed {
            return Ok(false);
        }
        if let Some(address) = beneficiary {
            let at = self.place(address)?;
            // A reward of zero still touches the account.
            if credits[0].is_zero() || !self.can_hold(at, credits[0]) {
                return Ok(false);
            }
        }
        for entry in accounts {
            self.place(entry.address)?;
        }
        for slot in tables.slots.as_slice().iter().filter(current) {
            let at = self.place(tables.accounts[slot.owner].address)?;
            let space = self.tables.accounts[at].space;
            if self.tables.slot(space, slot.key).is_none() {
                self.insert_slot(at, space, slot.key, slot.value.present_value);
            }
        }
        self.absorb(lane)?;
        self.absorb_credits(credits, beneficiary)?;
        Ok(true)
    }

    /// Absorbs the fees that lanes paid. Under `FeeRule::Beneficiary` they go to one account, whose
    /// balance does not overflow.
    pub(crate) fn absorb_credits(
        &mut self,
        amounts: &FeeAmounts,
        beneficiary: Option<Address>,
    ) -> Result<(), ViewError<S::Error>> {
        match beneficiary {
            None => self.credit_all(amounts),
            Some(address) => {
                let at = self.place(address)?;
                self.add_balance(at, amounts[0]);
            }
        }
        Ok(())
    }

    /// An account as it is between transactions, including outstanding fees. `lane` is the pending
    /// lane that changed it, if any.
    pub(crate) fn account_so_far(
        &mut self,
        address: &Address,
        lane: Option<&LaneState>,
    ) -> Result<Option<Account>, S::Error> {
        let changed = lane.and_then(|lane| lane.tables.entry(address));
        let found = match changed.or_else(|| self.tables.entry(address)) {
            Some(entry) => entry.exists.then(|| entry.settled().0),
            None => {
                let found = self.base.account(address).map_err(|ViewError(error)| error)?;
                found.map(|(account, _)| account)
            }
        };
        let credit = self.credits.waiting(address);
        if credit.is_zero() {
            return Ok(found);
        }
        let account = found.unwrap_or_default();
        Ok(Some(Account { balance: account.balance.saturating_add(credit), ..account }))
    }

    /// A code stored by this block.
    pub(crate) fn new_code(&self, hash: &B256) -> Option<&Bytecode> {
        self.codes.get(hash)
    }

    /// Whether the block changed an account or one of its slots.
    pub(crate) fn changes(&self, address: &Address) -> bool {
        self.tables.changes(address)
    }

    /// Accounts that the block changed. A changed slot counts as a change of its account.
    pub(crate) fn changed_accounts(&self) -> impl Iterator<Item = &Address> {
        self.tables.changed_accounts()
    }
}

impl LaneState {
    /// Fees that the lane paid. `None` if its outcome depends on other lanes.
    pub(crate) const fn credits(&self) -> Option<&FeeAmounts> {
        self.credits.as_ref()
    }

    /// Accounts that the lane accessed and does not own, each with whether it changed.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (&Address, bool)> {
        let entries = self.tables.accounts.as_slice().iter();
        entries.filter(|entry| !entry.owned).map(|entry| (&entry.address, entry.changed))
    }

    /// Slots that the lane accessed and does not own, each with whether it changed.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (&Address, U256, bool)> {
        let Tables { accounts, slots, .. } = &self.tables;
        let slots = slots.as_slice().iter().filter(|slot| !slot.owned);
        slots.map(|slot| (&accounts[slot.owner].address, slot.key, slot.changed))
    }

    /// Every access of the lane.
    pub(crate) fn touches(&self) -> impl Iterator<Item = Touch> {
        let entries = self.tables.accounts.as_slice().iter();
        let accounts = entries.map(|entry| Touch {
            key: StateKey { address: entry.address, slot: None },
            written: entry.changed,
        });
        let slots = self.slots().map(|(address, slot, written)| Touch {
            key: StateKey { address: *address, slot: Some(slot) },
            written,
        });
        accounts.chain(slots)
    }

    /// Whether the lane accessed an account.
    pub(crate) fn has_account(&self, address: &Address) -> bool {
        self.tables.place(address).is_some()
    }

    /// Whether the lane accessed a slot of the account's current storage. If that storage is new,
    /// the account itself changed, and every lane that reads its slots accesses the account too.
    pub(crate) fn has_slot(&self, address: &Address, slot: U256) -> bool {
        let entry = self.tables.entry(address);
        entry.is_some_and(|entry| self.tables.slot(entry.space, slot).is_some())
    }

    /// Accounts that the lane changed. A changed slot counts as a change of its account.
    pub(crate) fn changed_accounts(&self) -> impl Iterator<Item = &Address> {
        self.tables.changed_accounts()
    }

    /// Whether the lane changed an account or one of its slots.
    pub(crate) fn changes(&self, address: &Address) -> bool {
        self.tables.changes(address)
    }

    /// Accounts whose nonce, balance, code or existence the lane changed.
    pub(crate) fn changed_themselves(&self) -> impl Iterator<Item = &Address> {
        let entries = self.tables.accounts.as_slice().iter();
        entries.filter(|entry| entry.changed).map(|entry| &entry.address)
    }

    /// A code that the lane stored.
    pub(crate) fn code(&self, hash: &B256) -> Option<&Bytecode> {
        self.codes.get(hash)
    }

    /// The lane's changes.
    pub(crate) fn diff(&mut self) -> StateDiff {
        self.tables.diff(&self.codes)
    }

    /// The lane's memory.
    pub(crate) fn into_memory(self) -> Tables {
        self.tables
    }
}
