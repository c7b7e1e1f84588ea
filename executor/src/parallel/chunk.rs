//! Chunks: consecutive transactions with their expected accesses.

use alloy_primitives::{Address, B256, U256};
use turnpike_protocol::SKIPPED_LOAD;

use super::speculation::Speculation;
use crate::{
    BlockTransaction,
    keccak::INPUT_BYTES,
    profile::{Access, Call, Predictions, Profiles, StateKey, Touch},
};

/// Bits of a key's number that hold its position in its chunk.
pub(crate) const CHUNK_KEYS_LOG2: u32 = 16;

/// Maximum number of accounts per chunk. The same maximum applies to slots.
const CHUNK_KEYS_MAX: usize = 1 << CHUNK_KEYS_LOG2;

/// Consecutive transactions and the keys that they are expected to access.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// Position of the first transaction in the slice.
    pub(crate) first: u32,
    /// Expected cost of each transaction, in gas.
    pub(crate) costs: Vec<u32>,
    /// Sum of what they take of the block's gas at most.
    pub(crate) gas_limit: u64,
    /// Expected account accesses, in the order of the transactions.
    pub(crate) accounts: Vec<ExpectedAccess<Address>>,
    /// Expected slot accesses, in the order of the transactions.
    pub(crate) slots: Vec<ExpectedAccess<(Address, U256)>>,
    /// Hashes computed to find the slots, in the order of the transactions.
    pub(crate) hashes: Vec<(u32, [u8; INPUT_BYTES], B256)>,
    /// For each transaction, the positions of its first account, slot and hash. One more entry
    /// marks the end of the last transaction.
    index: Vec<[u32; 3]>,
    /// Number of transactions that profiles predicted.
    pub(crate) known: usize,
    /// Transactions without a prediction: only their own fields are known.
    pub(crate) unknown: Vec<u32>,
    /// Transactions that access an account to which all transactions pay fees.
    pub(crate) fee_readers: Vec<u32>,
}

/// A key that a transaction is expected to access.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExpectedAccess<K> {
    pub(crate) key: K,
    pub(crate) tx: u32,
    pub(crate) access: Access,
}

impl<K> ExpectedAccess<K> {
    pub(crate) fn is_written(&self) -> bool {
        self.access == Access::Write
    }
}

/// What a transaction takes of the block's gas at most, skipped or not. Times
/// [`WORK_PER_GAS`](crate::WORK_PER_GAS), it bounds its work as well.
pub(super) fn gas_bound(tx: &impl BlockTransaction) -> u64 {
    tx.gas_limit().max(SKIPPED_LOAD.gas)
}

/// Cost of a transaction outside the interpreter, expressed as gas that takes the same time.
const FLOOR: u32 = 5_000;

/// Gas that a transaction uses before the interpreter starts.
const INTRINSIC: u64 = 21_000;

impl Chunk {
    /// Predicts the accesses of transactions. `first` is the position of the first in the slice,
    /// `recipients` are the accounts to which all of them pay fees.
    pub(crate) fn predict<T: BlockTransaction>(
        first: u32,
        transactions: &[T],
        profiles: &Profiles,
        recipients: &[Address],
        has_code: impl Fn(&Address) -> bool,
    ) -> Self {
        let mut chunk = Self {
            first,
            costs: vec![FLOOR; transactions.len()],
            accounts: Vec::with_capacity(2 * transactions.len()),
            ..Self::default()
        };
        let mut calls = Vec::new();
        for (tx, transaction) in (first..).zip(transactions) {
            chunk.gas_limit = chunk.gas_limit.saturating_add(gas_bound(transaction));
            let Ok(caller) = transaction.sender() else { continue };
            chunk.expect_account(tx, caller, Access::Write, recipients);
            match transaction.call() {
                Some((to, [])) => chunk.expect_account(tx, to, Access::Write, recipients),
                Some((to, data)) => calls.push((tx, Call { caller, to, data })),
                None => chunk.unknown.push(tx),
            }
        }
        if !calls.is_empty() {
            let mut predictions = Predictions::default();
            profiles.predict(calls.into_iter(), has_code, &mut predictions);
            #[cfg(feature = "faults")]
            crate::faults::mispredict(&mut predictions);
            chunk.add(predictions, recipients);
        }
        chunk.arrange();
        chunk
    }

    /// Sorts keys by transaction and notes where each transaction's keys begin. Slots beyond the
    /// maximum are dropped: an unexpected access is safe, it can only cause a conflict.
    fn arrange(&mut self) {
        let Self { first, costs, accounts, slots, hashes, index, .. } = self;
        accounts.sort_by_key(|account| account.tx);
        slots.sort_by_key(|slot| slot.tx);
        slots.truncate(CHUNK_KEYS_MAX);
        index.clear();
        let mut at = [0; 3];
        for tx in (*first..).take(costs.len()) {
            index.push(at.map(number));
            advance(&mut at[0], accounts, |account| account.tx == tx);
            advance(&mut at[1], slots, |slot| slot.tx == tx);
            advance(&mut at[2], hashes, |hash| hash.0 == tx);
        }
        index.push(at.map(number));
    }

    #[inline]
    fn of<'i, T>(&self, items: &'i [T], tx: u32, list: usize) -> &'i [T] {
        let place = (tx - self.first) as usize;
        let [from, to] = [self.index[place][list], self.index[place + 1][list]];
        &items[from as usize..to as usize]
    }

    /// Whether every account can be numbered.
    pub(crate) fn is_numbered(&self) -> bool {
        self.accounts.len() <= CHUNK_KEYS_MAX
    }

    /// Whether the chunk's transactions can run in lanes.
    pub(crate) fn fits_lanes(&self) -> bool {
        self.is_numbered() && self.fee_readers.is_empty()
    }

    fn expect_account(&mut self, tx: u32, key: Address, access: Access, recipients: &[Address]) {
        if recipients.contains(&key) {
            self.fee_readers.push(tx);
        }
        self.accounts.push(ExpectedAccess { key, tx, access });
    }

    fn expect(&mut self, tx: u32, key: StateKey, access: Access, recipients: &[Address]) {
        let StateKey { address, slot } = key;
        match slot {
            None => self.expect_account(tx, address, access, recipients),
            Some(slot) => self.slots.push(ExpectedAccess { key: (address, slot), tx, access }),
        }
    }

    fn add(&mut self, predictions: Predictions, recipients: &[Address]) {
        let Predictions { accounts, slots, hashes, known, unknown, .. } = predictions;
        for (tx, key, access) in accounts {
            self.expect_account(tx, key, access, recipients);
        }
        let slots = slots.into_iter();
        self.slots = slots
            .map(|(tx, address, slot, access)| ExpectedAccess { key: (address, slot), tx, access })
            .collect();
        self.hashes = hashes;
        self.known = known.len();
        for (tx, gas) in known {
            self.expect_gas(tx, gas);
        }
        self.unknown.extend(unknown);
    }

    fn expect_gas(&mut self, tx: u32, gas: u64) {
        let gas = u32::try_from(gas.saturating_sub(INTRINSIC)).unwrap_or(u32::MAX - FLOOR);
        self.costs[(tx - self.first) as usize] = FLOOR.saturating_add(gas);
    }

    /// Fills in the accesses of unknown transactions, from their speculative runs. Without a run,
    /// the transaction is expected to change the keys of its `guard`, or, if that is empty, its
    /// `declared_keys`.
    pub(crate) fn complete<'s>(
        &mut self,
        speculation: impl Fn(u32) -> Option<&'s Speculation>,
        guard: impl Fn(u32) -> &'s [StateKey],
        declared_keys: impl Fn(u32) -> Vec<StateKey>,
        recipients: &[Address],
    ) {
        for tx in std::mem::take(&mut self.unknown) {
            let Some(Speculation { gas_used, state, .. }) = speculation(tx) else {
                let (guard, declared_keys) = match guard(tx) {
                    [] => (&[][..], declared_keys(tx)),
                    guard => (guard, Vec::new()),
                };
                for key in guard.iter().chain(&declared_keys) {
                    self.expect(tx, *key, Access::Write, recipients);
                }
                continue;
            };
            if state.credits().is_none() {
                self.fee_readers.push(tx);
            }
            for Touch { key, written } in state.touches() {
                let access = if written { Access::Write } else { Access::Read };
                self.expect(tx, key, access, recipients);
            }
            if let Some(gas) = gas_used {
                self.expect_gas(tx, *gas);
            }
        }
        self.arrange();
    }

    /// The accounts that a transaction is expected to access.
    pub(crate) fn accounts_of(&self, tx: u32) -> &[ExpectedAccess<Address>] {
        self.of(&self.accounts, tx, 0)
    }

    /// The slots that a transaction is expected to access.
    pub(crate) fn slots_of(&self, tx: u32) -> &[ExpectedAccess<(Address, U256)>] {
        self.of(&self.slots, tx, 1)
    }

    /// The hashes that a transaction is expected to compute.
    pub(crate) fn hashes_of(&self, tx: u32) -> &[(u32, [u8; INPUT_BYTES], B256)] {
        self.of(&self.hashes, tx, 2)
    }

    /// Expected cost of all transactions, in gas.
    pub(crate) fn cost(&self) -> u64 {
        self.costs.iter().map(|cost| u64::from(*cost)).sum()
    }
}

/// Advances `at` past the items that satisfy `is_meant`.
fn advance<T>(at: &mut usize, items: &[T], is_meant: impl Fn(&T) -> bool) {
    *at += items[*at..].iter().take_while(|item| is_meant(item)).count();
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("invariant: a chunk's positions fit 32 bits")
}
