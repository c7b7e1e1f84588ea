use alloy_primitives::{Address, U256};

use crate::BlockTransaction;

/// What a few transactions that follow each other are going to touch, as far as can be told.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// The first transaction, by its place in the slice.
    pub(crate) first: u32,
    /// What each is likely to cost, in gas.
    pub(crate) costs: Vec<u32>,
    /// Gas that they ask for.
    pub(crate) gas_limit: u64,
    /// Accounts that they may change, each with the transaction.
    pub(crate) accounts: Vec<(Address, u32)>,
    /// Slots that they may change.
    pub(crate) slots: Vec<((Address, U256), u32)>,
    /// Accounts that they only look at.
    pub(crate) accounts_read: Vec<(Address, u32)>,
    /// Slots that they only look at.
    pub(crate) slots_read: Vec<((Address, U256), u32)>,
}

/// What a transaction costs beyond its interpreter, in gas that takes as long.
const FLOOR: u32 = 5_000;

impl Chunk {
    /// What they are likely to cost together.
    pub(crate) fn cost(&self) -> u64 {
        self.costs.iter().map(|cost| u64::from(*cost)).sum()
    }

    /// Tells what transactions will touch, of which the first has this place in the slice.
    pub(crate) fn predict<T: BlockTransaction>(first: u32, transactions: &[T]) -> Self {
        let mut chunk = Self {
            first,
            costs: Vec::with_capacity(transactions.len()),
            accounts: Vec::with_capacity(2 * transactions.len()),
            ..Self::default()
        };
        for (number, tx) in (first..).zip(transactions) {
            let gas_limit = tx.gas_limit();
            chunk.gas_limit = chunk.gas_limit.saturating_add(gas_limit);
            if let Ok(sender) = tx.sender() {
                chunk.accounts.push((sender, number));
            }
            if let Some((to, _)) = tx.call() {
                chunk.accounts.push((to, number));
            }
            chunk.costs.push(FLOOR);
        }
        chunk
    }
}
