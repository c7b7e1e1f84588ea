use std::collections::VecDeque;

use turnpike_executor::Head;
use turnpike_protocol::{BlockInput, ChainConfig};
use turnpike_state::{FlatState, StateDiff};

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
