use std::collections::VecDeque;

use turnpike_executor::Head;
use turnpike_protocol::{BlockInput, ChainConfig};
use turnpike_state::{AccountDiff, FlatState, StateDiff};

use crate::Replay;

/// Accounts, slots and transactions that the kept blocks may hold together.
const HISTORY_ITEMS_MAX: usize = 500_000;

/// The last blocks: what went in, and how to undo what came of it.
#[derive(Debug, Default)]
pub(crate) struct History {
    steps: VecDeque<Step>,
    items: usize,
}

#[derive(Debug)]
struct Step {
    parent: Head,
    input: BlockInput,
    undo: StateDiff,
    items: usize,
}

impl History {
    /// Takes up the newest block and lets go of the oldest ones beyond the limit.
    pub(crate) fn push(&mut self, parent: Head, input: BlockInput, undo: StateDiff) {
        let slots: usize = undo.accounts.iter().map(|diff| 1 + diff.storage.len()).sum();
        let items = 1 + slots + input.transactions.len() + input.deposits.len();
        self.items += items;
        self.steps.push_back(Step { parent, input, undo, items });
        while self.items > HISTORY_ITEMS_MAX && self.steps.len() > 1 {
            let oldest = self.steps.pop_front().expect("invariant: there are several");
            self.items -= oldest.items;
        }
    }

    /// The state after `block`, if it is the newest or only kept blocks have to be undone; `state` is the newest.
    pub(crate) fn state_after(&self, state: &FlatState, block: u64) -> Option<FlatState> {
        let newest = self.steps.back().map_or(0, |step| step.input.number);
        if block >= newest {
            return (block == newest).then(|| state.clone());
        }
        if self.steps.front()?.input.number > block + 1 {
            return None;
        }
        let mut state = state.clone();
        for step in self.steps.iter().rev().take_while(|step| step.input.number > block) {
            state.apply(&step.undo);
        }
        Some(state)
    }

    /// All that is needed to run a kept block again.
    pub(crate) fn replay(
        &self,
        config: &ChainConfig,
        state: &FlatState,
        block: u64,
    ) -> Option<Replay> {
        let step = self.steps.iter().rev().find(|step| step.input.number == block)?;
        let before = self.state_after(state, block.checked_sub(1)?)?;
        Some(Replay::new(config.clone(), step.parent.clone(), step.input.clone(), before))
    }
}

/// What takes `state` back once `diff` was applied to it.
pub(crate) fn undo_of(state: &FlatState, diff: &StateDiff) -> StateDiff {
    let accounts = diff.accounts.iter().map(|change| {
        let before = state.entry(&change.address);
        let loses_storage = change.storage_cleared || change.account.is_none();
        let storage = match before {
            None => Default::default(),
            Some(before) if loses_storage => before.slots.iter().map(|(k, v)| (*k, *v)).collect(),
            Some(before) => change
                .storage
                .iter()
                .map(|(slot, _)| (*slot, before.slots.get(slot).copied().unwrap_or_default()))
                .collect(),
        };
        let account = before.map(|before| before.account);
        AccountDiff { address: change.address, account, storage_cleared: loses_storage, storage }
    });
    StateDiff { accounts: accounts.collect(), codes: Default::default() }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, U256};
    use turnpike_state::Account;

    use super::*;

    fn account(nonce: u64) -> Option<Account> {
        Some(Account { nonce, ..Account::default() })
    }

    #[test]
    fn undoing_restores_accounts_and_slots() {
        let [kept, destroyed, new] = [1, 2, 3].map(Address::repeat_byte);
        let slot = U256::from;
        let storage = |of: &[(u64, u64)]| of.iter().map(|(k, v)| (slot(*k), slot(*v))).collect();
        let diff = |(address, account), storage_cleared, slots: &[(u64, u64)]| AccountDiff {
            address,
            account,
            storage_cleared,
            storage: storage(slots),
        };
        let mut state = FlatState::new();
        state.apply(&StateDiff {
            accounts: [
                diff((kept, account(1)), false, &[(1, 10), (2, 20)]),
                diff((destroyed, account(1)), false, &[(7, 70)]),
            ]
            .into(),
            codes: Default::default(),
        });
        let changes = StateDiff {
            accounts: [
                diff((kept, account(2)), false, &[(1, 0), (3, 30)]),
                diff((destroyed, None), false, &[]),
                diff((new, account(5)), true, &[(9, 90)]),
            ]
            .into(),
            codes: Default::default(),
        };
        let undo = undo_of(&state, &changes);
        state.apply(&changes);
        assert_eq!((state.account(&destroyed), state.account(&new)), (None, account(5)));
        state.apply(&undo);
        assert_eq!(state.account(&new), None);
        assert_eq!((state.account(&kept), state.account(&destroyed)), (account(1), account(1)));
        let slots = [(kept, 1), (kept, 2), (kept, 3), (destroyed, 7), (new, 9)];
        let values = slots.map(|(address, key)| state.storage(&address, slot(key)));
        assert_eq!(values, [10, 20, 0, 70, 0].map(slot));
    }
}
