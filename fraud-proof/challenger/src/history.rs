//! The last blocks' inputs, so that a disputed block can be run again. Limit: `TRANSACTIONS_MAX`.

use std::collections::VecDeque;

use turnpike_executor::Chain;
use turnpike_protocol::BlockInput;
use turnpike_state::FlatState;

use crate::Replay;

/// Maximum number of deposits and transactions in all kept blocks.
const TRANSACTIONS_MAX: usize = 500_000;

/// The inputs of a chain's last blocks. The chain itself keeps the states between them.
#[derive(Debug, Default)]
pub(crate) struct History {
    inputs: VecDeque<BlockInput>,
    transactions: usize,
}

impl History {
    /// Adds the newest block of `chain`. Drops blocks that cannot be run again and blocks beyond
    /// the limit.
    pub(crate) fn push(&mut self, chain: &Chain, input: BlockInput) {
        self.transactions += transactions(&input);
        self.inputs.push_back(input);
        while let Some(oldest) = self.inputs.front() {
            if oldest.number > chain.oldest_state() && self.transactions <= TRANSACTIONS_MAX {
                break;
            }
            self.transactions -= transactions(oldest);
            self.inputs.pop_front();
        }
    }

    /// Drops the blocks after `block`.
    pub(crate) fn truncate(&mut self, block: u64) {
        while let Some(newest) = self.inputs.back().filter(|newest| newest.number > block) {
            self.transactions -= transactions(newest);
            self.inputs.pop_back();
        }
    }

    /// A kept block of `chain` to run again.
    pub(crate) fn replay(&self, chain: &Chain, block: u64) -> Option<Replay> {
        let input = self.inputs.iter().rev().find(|input| input.number == block)?;
        let before = block.checked_sub(1)?;
        let (parent, state) = (chain.head_at(before)?, state_after(chain, before)?);
        Some(Replay::new(chain.config().clone(), parent.clone(), input.clone(), state))
    }
}

/// A copy of the state after `block`, if `chain` keeps it.
pub(crate) fn state_after(chain: &Chain, block: u64) -> Option<FlatState> {
    let undo = chain.undo_to(block)?;
    let mut state = chain.state().flat().clone();
    state.apply(&undo);
    Some(state)
}

fn transactions(input: &BlockInput) -> usize {
    input.deposits.len() + input.transactions.len()
}
