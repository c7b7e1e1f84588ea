//! The end of a transaction, and the end of a block.

use alloc::vec::Vec;

use alloy_primitives::{Bytes, map::B256Map};
use revm::{primitives::hardfork::SpecId, state::Bytecode};
use turnpike_state::{Account, AccountDiff, StateDiff, StateView};

use super::{AccountEntry, BlockState, CODE_BYTES_MAX, Tables, Undo};
use crate::base::ViewError;

impl<S: StateView> BlockState<S> {
    /// Keeps the changes of the current transaction and prepares for the next one.
    pub(super) fn commit(&mut self) {
        self.note_watched();
        let undo = core::mem::take(&mut self.tables.undo);
        for entry in &undo {
            self.note(entry);
        }
        let touched = undo.iter().filter_map(|undo| match undo {
            Undo::Touched(at) => Some(*at),
            _ => None,
        });
        touched.for_each(|at| self.settle(at));
        while let Some(at) = self.stay_touched.pop() {
            self.settle(at);
        }
        self.tables.undo = undo;
        self.tables.undo.clear();
        self.tables.values.clear();
        self.end_transaction();
    }

    pub(super) fn end_transaction(&mut self) {
        self.logs.clear();
        if !self.transient.is_empty() {
            self.transient.clear();
        }
        self.stay_touched.clear();
        self.depth = 0;
        self.warm.end_transaction();
        self.transaction.increment();
        if self.code_bytes > CODE_BYTES_MAX {
            self.forget_codes();
        }
    }

    /// Drops codes that can be read from the base again. New codes are in `codes`.
    fn forget_codes(&mut self) {
        for at in 0..self.tables.accounts.len() {
            self.tables.accounts[at].account.info.code = None;
        }
        self.code_bytes = 0;
    }

    /// Marks the account or slot that a change of the transaction leaves different.
    fn note(&mut self, undo: &Undo) {
        match undo {
            Undo::Balance(at) | Undo::Nonce(at) => self.tables.accounts[*at].changed = true,
            Undo::Code(code) => {
                let entry = &mut self.tables.accounts[code.0];
                entry.changed = true;
                let info = &entry.account.info;
                if !entry.account.is_selfdestructed()
                    && let Some(code) = info.code.as_ref().filter(|code| !code.is_empty())
                {
                    self.codes.entry(info.code_hash).or_insert_with(|| code.clone());
                }
            }
            Undo::Created(created) => {
                let entry = &mut self.tables.accounts[created.at];
                (entry.cleared, entry.changed) = (true, true);
            }
            Undo::Slot(at) => {
                let slot = &mut self.tables.slots[*at];
                if slot.value.is_changed() {
                    slot.changed = true;
                    self.tables.accounts[slot.owner].slots_changed = true;
                }
            }
            Undo::Warmed(_)
            | Undo::Touched(_)
            | Undo::Destroyed { .. }
            | Undo::SlotWarmed(_)
            | Undo::Transient(_) => {}
        }
    }

    /// Decides whether a touched account exists after the transaction.
    fn settle(&mut self, at: usize) {
        let state_clear = self.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON);
        let entry = &mut self.tables.accounts[at];
        if entry.account.is_selfdestructed() || (state_clear && entry.account.is_empty()) {
            if !entry.exists && !entry.changed && !entry.account.is_created() {
                return;
            }
            entry.account.info = Default::default();
            (entry.exists, entry.cleared, entry.changed) = (false, true, true);
            self.renew_storage(at);
        } else if !entry.exists {
            (entry.exists, entry.changed) = (true, true);
        }
    }

    /// The block's changes and the memory of its tables.
    pub(crate) fn into_diff(mut self) -> Result<(StateDiff, Tables), ViewError<S::Error>> {
        self.collect_credits()?;
        #[cfg(feature = "std")]
        self.resolve();
        let diff = self.tables.diff(&self.codes);
        Ok((diff, self.tables))
    }
}

impl Tables {
    /// All changes: accounts in the order of first access, the slots of each likewise, and `codes`.
    pub(super) fn diff(&mut self, codes: &B256Map<Bytecode>) -> StateDiff {
        let Self { accounts: entries, slots, positions, .. } = self;
        let mut accounts =
            Vec::with_capacity(entries.as_slice().iter().filter(|entry| entry.differs()).count());
        positions.clear();
        for entry in entries.as_slice() {
            positions.push((entry.differs() && entry.exists).then_some(accounts.len()));
            if entry.differs() {
                accounts.push(account_diff(entry));
            }
        }
        for slot in slots.as_slice().iter().filter(|slot| slot.changed) {
            let is_current = entries[slot.owner].space == slot.space;
            if let Some(position) = positions[slot.owner].filter(|_| is_current) {
                accounts[position].storage.push((slot.key, slot.value.present_value));
            }
        }
        let code = |code: &Bytecode| Bytes::copy_from_slice(code.original_byte_slice());
        let mut codes: Vec<_> = codes.iter().map(|(hash, bytes)| (*hash, code(bytes))).collect();
        codes.sort_unstable_by_key(|(hash, _)| *hash);
        StateDiff { accounts, codes }
    }
}

impl AccountEntry {
    /// Whether the state after the block differs in this account.
    const fn differs(&self) -> bool {
        self.has_changed() && (self.in_base || self.exists)
    }

    /// Whether a transaction changed the account or one of its slots.
    pub(super) const fn has_changed(&self) -> bool {
        self.changed || self.slots_changed
    }
}

fn account_diff(entry: &AccountEntry) -> AccountDiff {
    let info = &entry.account.info;
    let account = Account { nonce: info.nonce, balance: info.balance, code_hash: info.code_hash };
    AccountDiff {
        address: entry.address,
        account: entry.exists.then_some(account),
        storage_cleared: entry.cleared && entry.in_base,
        storage: Vec::new(),
    }
}
