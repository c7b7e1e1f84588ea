//! Runs one block again to find which transaction changed which key.

use std::{convert::Infallible, mem, sync::Arc};

use alloy_primitives::B256;
use turnpike_executor::{
    BlockExecutor, ChainHead, ChainSpec, Executed, ExecutedTx, ExecutionError, block_transactions,
};
use turnpike_protocol::{BlockInput, ChainConfig};
use turnpike_state::{AccountDiff, FlatState, StateDiff};

use crate::StateKey;

/// A block and the state before it, to run again as a whole or in part.
#[derive(Debug)]
pub struct Replay {
    config: ChainConfig,
    parent: ChainHead,
    input: BlockInput,
    state: FlatState,
}

/// The first transaction of a block that changes one of some keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstChange {
    /// Index and hash of the transaction; `None` if the block itself changes the key, before any
    /// transaction.
    pub transaction: Option<(usize, B256)>,
    /// The keys that it changes.
    pub keys: Vec<StateKey>,
}

impl Replay {
    pub(crate) const fn new(
        config: ChainConfig,
        parent: ChainHead,
        input: BlockInput,
        state: FlatState,
    ) -> Self {
        Self { config, parent, input, state }
    }

    /// Number of the block.
    pub const fn number(&self) -> u64 {
        self.input.number
    }

    /// The block's transactions and receipts.
    pub fn transactions(&self) -> Result<Vec<Arc<ExecutedTx>>, ExecutionError<Infallible>> {
        Ok(self.run(self.len())?.into_executed())
    }

    /// Accounts and slots that the block changes.
    pub fn changed_keys(&self) -> Result<Vec<StateKey>, ExecutionError<Infallible>> {
        let mut executed = self.run(self.len())?;
        let mut diff = mem::take(executed.diff());
        diff.sort();
        let mut keys = Vec::new();
        for AccountDiff { address, storage, .. } in diff.accounts {
            keys.push(StateKey { address, slot: None });
            keys.extend(storage.iter().map(|(slot, _)| StateKey { address, slot: Some(*slot) }));
        }
        Ok(keys)
    }

    /// Finds the first transaction that changes one of `keys`, by bisection over the number of
    /// transactions: the block runs about log2(transactions) times.
    pub fn first_change(
        &self,
        keys: &[StateKey],
    ) -> Result<Option<FirstChange>, ExecutionError<Infallible>> {
        let changes = |count: usize| -> Result<bool, ExecutionError<Infallible>> {
            let mut executed = self.run(count)?;
            let diff = executed.diff();
            Ok(keys.iter().any(|key| changes_key(diff, key)))
        };
        let (mut low, mut high) = (0, self.len());
        if !changes(high)? {
            return Ok(None);
        }
        // The shortest part of the block that changes a key has `low` to `high` transactions.
        while low < high {
            let middle = low + (high - low) / 2;
            if changes(middle)? {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        let mut executed = self.run(low)?;
        let last = executed.transactions.last().filter(|_| low > 0);
        let transaction =
            last.map(|tx| (executed.transactions.len() - 1, tx.tx.envelope().tx_hash()));
        let diff = executed.diff();
        let keys = keys.iter().filter(|key| changes_key(diff, key)).copied().collect();
        Ok(Some(FirstChange { transaction, keys }))
    }

    fn len(&self) -> usize {
        self.input.deposits.len() + self.input.transactions.len()
    }

    /// Runs the first `count` of the block's deposits and transactions.
    fn run(&self, count: usize) -> Result<Executed, ExecutionError<Infallible>> {
        let Self { config, parent, input, state } = self;
        let context = parent.next_block(config, input.time_ms, &input.origin);
        let mut block = BlockExecutor::open(&ChainSpec::turnpike(config), &context, state)?;
        for transaction in block_transactions(input).take(count) {
            block.execute(transaction)?;
        }
        Ok(block.finish()?.0)
    }
}

fn changes_key(diff: &StateDiff, key: &StateKey) -> bool {
    let change = diff.accounts.iter().find(|change| change.address == key.address);
    change.is_some_and(|change| match key.slot {
        None => true,
        Some(key) => change.storage_cleared || change.storage.iter().any(|(slot, _)| *slot == key),
    })
}
