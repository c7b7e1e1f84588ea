//! Computes the reverse of a diff.

use alloc::{vec, vec::Vec};
use alloy_primitives::U256;

use crate::{AccountDiff, FlatState, StateDiff, StorageId, table::FIND_MAX, workers::Workers};

/// Accounts that one task looks up.
const ACCOUNTS_TASK: usize = 512;
/// Slots of one account that one task looks up.
const SLOTS_TASK: usize = 1024;

impl FlatState {
    /// Computes the diff that rewinds `diff`. Call this before applying `diff`. The reverse diff
    /// has no codes, because codes stay stored.
    #[must_use]
    pub fn undo_of(&self, diff: &StateDiff) -> StateDiff {
        self.undo_with(diff, Workers::default())
    }

    /// [`Self::undo_of`] on the threads of a pool.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn undo_of_on(&self, diff: &StateDiff, pool: &rayon::ThreadPool) -> StateDiff {
        self.undo_with(diff, Workers::pool(pool))
    }

    fn undo_with(&self, diff: &StateDiff, workers: Workers<'_>) -> StateDiff {
        let mut numbers = vec![None; diff.accounts.len()];
        let tasks = numbers.chunks_mut(ACCOUNTS_TASK).zip(diff.accounts.chunks(ACCOUNTS_TASK));
        let mut tasks: Vec<_> = tasks.collect();
        workers.run(&mut tasks, |(numbers, changes)| self.find_accounts(changes, numbers));
        let accounts = workers.map(&diff.accounts, ACCOUNTS_TASK, |at, change| {
            self.undo_of_account(change, numbers[at], workers)
        });
        StateDiff { accounts, codes: Vec::new() }
    }

    fn undo_of_account(
        &self,
        change: &AccountDiff,
        number: Option<u32>,
        workers: Workers<'_>,
    ) -> AccountDiff {
        let address = change.address;
        let Some(number) = number else {
            return AccountDiff { address, storage_cleared: true, ..AccountDiff::default() };
        };
        let account = Some(self.account_of(self.account_entry(number).1));
        let storage_cleared = change.storage_cleared || change.account.is_none();
        let storage = if storage_cleared {
            self.slots_of(&address).collect()
        } else {
            self.held_slots(StorageId::of(number), &change.storage, workers)
        };
        AccountDiff { address, account, storage_cleared, storage }
    }

    /// The current values of these slots.
    fn held_slots(
        &self,
        id: StorageId,
        storage: &[(U256, U256)],
        workers: Workers<'_>,
    ) -> Vec<(U256, U256)> {
        let mut held = storage.to_vec();
        let mut tasks: Vec<_> = held.chunks_mut(SLOTS_TASK).collect();
        workers.run(&mut tasks, |slots| {
            for some in slots.chunks_mut(FIND_MAX) {
                let found = self.find_slots(id, some.iter().map(|(slot, _)| *slot));
                for ((_, value), found) in some.iter_mut().zip(found) {
                    *value = found.map_or(U256::ZERO, |number| self.slot_entry(number).1);
                }
            }
        });
        held
    }
}
