use alloy_primitives::{Address, B256, U256};

use super::speculation::Speculation;
use crate::{
    BlockTransaction,
    keccak::INPUT_BYTES,
    profile::{Access, Call, Predictions, Profiles, StateKey, Touch},
};

/// A key's number holds its place in its chunk in so many bits.
pub(crate) const CHUNK_KEYS_LOG2: u32 = 16;

/// Accounts of a chunk, at most, and slots.
const CHUNK_KEYS_MAX: usize = 1 << CHUNK_KEYS_LOG2;

/// What a few transactions that follow each other are going to touch, as far as can be told.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// The first transaction, by its place in the slice.
    pub(crate) first: u32,
    /// What each is likely to cost, in gas.
    pub(crate) costs: Vec<u32>,
    /// Gas that they ask for.
    pub(crate) gas_limit: u64,
    /// Accounts, each with the transaction that is going to touch it, in the order of the transactions.
    pub(crate) accounts: Vec<ExpectedAccess<Address>>,
    /// Slots, in the order of the transactions.
    pub(crate) slots: Vec<ExpectedAccess<(Address, U256)>>,
    /// What was hashed to find the slots, in the order of the transactions.
    pub(crate) hashes: Vec<(u32, [u8; INPUT_BYTES], B256)>,
    /// Where the accounts, slots and hashes of each transaction begin, and, after the last, where they end.
    index: Vec<[u32; 3]>,
    /// Transactions of which profiles tell what they are going to touch.
    pub(crate) known: usize,
    /// Transactions of which nothing is known but what they say themselves.
    pub(crate) unknown: Vec<u32>,
    /// Transactions that look at an account that all of them pay fees to.
    pub(crate) fee_readers: Vec<u32>,
}

/// A key that a transaction is expected to touch.
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

/// What a transaction costs beyond its interpreter, in gas that takes as long.
const FLOOR: u32 = 5_000;

/// Gas that a transaction uses before its interpreter starts.
const INTRINSIC: u64 = 21_000;

impl Chunk {
    /// Tells what transactions will touch, of which the first has this place in the slice and all pay fees to
    /// `recipients`.
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
            chunk.gas_limit = chunk.gas_limit.saturating_add(transaction.gas_limit());
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

    /// Brings keys in the order of the transactions, and notes where those of each begin. Forgets slots that are too many:
    /// nobody expects them then, which is safe.
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

    /// Whether all its accounts can be numbered.
    pub(crate) fn is_numbered(&self) -> bool {
        self.accounts.len() <= CHUNK_KEYS_MAX
    }

    /// Whether its transactions can run in lanes.
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

    /// Takes what unknown transactions did when they ran by themselves for what they are going to do. Of those that did
    /// not, `guard` tells what they change in any case; if that is nothing, they are taken to change what they
    /// `said`.
    pub(crate) fn complete<'s>(
        &mut self,
        speculation: impl Fn(u32) -> Option<&'s Speculation>,
        guard: impl Fn(u32) -> &'s [StateKey],
        said: impl Fn(u32) -> Vec<StateKey>,
        recipients: &[Address],
    ) {
        for tx in std::mem::take(&mut self.unknown) {
            let Some(Speculation { gas_used, state, .. }) = speculation(tx) else {
                let (guard, said) = match guard(tx) {
                    [] => (&[][..], said(tx)),
                    guard => (guard, Vec::new()),
                };
                for key in guard.iter().chain(&said) {
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

    /// The accounts that a transaction is expected to touch.
    pub(crate) fn accounts_of(&self, tx: u32) -> &[ExpectedAccess<Address>] {
        self.of(&self.accounts, tx, 0)
    }

    /// The slots that a transaction is expected to touch.
    pub(crate) fn slots_of(&self, tx: u32) -> &[ExpectedAccess<(Address, U256)>] {
        self.of(&self.slots, tx, 1)
    }

    /// The hashes that a transaction is expected to ask for.
    pub(crate) fn hashes_of(&self, tx: u32) -> &[(u32, [u8; INPUT_BYTES], B256)] {
        self.of(&self.hashes, tx, 2)
    }

    /// What they are likely to cost together.
    pub(crate) fn cost(&self) -> u64 {
        self.costs.iter().map(|cost| u64::from(*cost)).sum()
    }
}

/// Moves on over the items that are meant.
fn advance<T>(at: &mut usize, items: &[T], is_meant: impl Fn(&T) -> bool) {
    *at += items[*at..].iter().take_while(|item| is_meant(item)).count();
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("invariant: a chunk's keys are numbered")
}
