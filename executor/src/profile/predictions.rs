//! Predicted accesses of a batch of transactions.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, U256};
use turnpike_keccak::keccak256_many;

use super::{
    Access, ObservedRun,
    call::{Call, WORD_BYTES},
    forecast::{Forecast, SlotRule},
    rule::{HashOrder, MappingStep},
};
use crate::keccak::INPUT_BYTES;

/// Predicted accesses of a batch of transactions. Each list is ordered by transaction number. The
/// memory is reused from batch to batch.
#[derive(Debug, Default)]
pub(crate) struct Predictions {
    pub(crate) accounts: Vec<(u32, Address, Access)>,
    pub(crate) slots: Vec<(u32, Address, U256, Access)>,
    /// Hashes computed to find the slots. The transactions will compute them again.
    pub(crate) hashes: Vec<(u32, [u8; INPUT_BYTES], B256)>,
    /// Predicted transactions, with their expected gas.
    pub(crate) known: Vec<(u32, u64)>,
    /// Transactions without a usable profile.
    pub(crate) unknown: Vec<u32>,
    /// The use of each hash.
    tasks: Vec<HashTask>,
    /// Number of finished tasks.
    tasks_done: usize,
    /// Maximum number of steps of any slot.
    steps: usize,
}

/// One step to a slot. The slot's entry holds the current position.
#[derive(Debug)]
struct HashTask {
    /// Position of the slot in the list.
    slot: usize,
    step: usize,
    order: HashOrder,
    offset: u8,
    /// Whether the previous task of the same step has the same input.
    is_repeated: bool,
}

/// Number of hashes computed at a time.
const CHUNK: usize = 64;

impl Predictions {
    /// Clears the batch and keeps the memory.
    pub(crate) fn clear(&mut self) {
        let Self { accounts, slots, hashes, known, unknown, tasks, tasks_done, steps } = self;
        accounts.clear();
        slots.clear();
        hashes.clear();
        known.clear();
        unknown.clear();
        tasks.clear();
        (*tasks_done, *steps) = (0, 0);
    }

    /// Adds the predicted accesses of a call. Slots behind hashes are valid only after
    /// [`Self::hash`].
    pub(super) fn add(&mut self, tx: u32, call: &Call<'_>, forecast: &Forecast) {
        self.known.push((tx, forecast.gas));
        for (source, access) in &forecast.accounts {
            if let Some(address) = source.address(call) {
                self.accounts.push((tx, address, *access));
            }
        }
        let mut steps = forecast.steps.as_ref();
        for rule in &forecast.slots {
            let Some((own, others)) = steps.split_at_checked(rule.steps) else { return };
            steps = others;
            self.add_slot(tx, call, rule, own);
        }
    }

    #[inline]
    fn add_slot(&mut self, tx: u32, call: &Call<'_>, rule: &SlotRule, steps: &[MappingStep]) {
        let tasks_before = self.tasks.len();
        for (step, MappingStep { key, order, offset }) in steps.iter().enumerate() {
            // Filling the entry in place is measurably faster than moving it.
            let input = &mut self.hashes.push_mut((tx, [0; INPUT_BYTES], B256::ZERO)).1;
            if !key.write(call, order.key_mut(input)) {
                // The calldata is too short, so the slot cannot be predicted.
                self.tasks.truncate(tasks_before);
                self.hashes.truncate(tasks_before);
                return;
            }
            if step == 0 {
                *order.position_mut(input) = rule.position_bytes;
            }
            let (slot, order, offset) = (self.slots.len(), *order, *offset);
            self.tasks.push(HashTask { slot, step, order, offset, is_repeated: false });
        }
        self.steps = self.steps.max(steps.len());
        self.slots.push((tx, rule.contract, rule.position, rule.access));
    }

    /// Computes all hashes and the slots behind them: the first step of every slot, then the
    /// second, and so on.
    pub(super) fn hash(&mut self) {
        for step in 0..self.steps {
            if step > 0 {
                self.move_on(step);
            }
            let (mut from, mut last) = (self.tasks_done, None);
            while from < self.tasks.len() {
                from = self.hash_chunk(step, from, &mut last);
            }
        }
        (self.tasks_done, self.steps) = (self.tasks.len(), 0);
    }

    /// Fills in the positions from which a later step starts.
    fn move_on(&mut self, step: usize) {
        let Self { slots, hashes, tasks, tasks_done, .. } = self;
        for (task, (_, input, _)) in tasks.iter().zip(hashes).skip(*tasks_done) {
            if task.step == step {
                *task.order.position_mut(input) = slots[task.slot].2.to_be_bytes();
            }
        }
    }

    /// Takes one step of up to [`CHUNK`] tasks and returns where to continue. An input equal to the
    /// one before it is not hashed again, because fields of a struct share their input.
    fn hash_chunk(&mut self, step: usize, from: usize, last: &mut Option<usize>) -> usize {
        let Self { slots, hashes, tasks, .. } = self;
        let mut messages: [&[u8]; CHUNK] = [&[]; CHUNK];
        let mut hash = last.map_or(B256::ZERO, |last| hashes[last].2);
        let (mut len, mut to) = (0, from);
        while let Some(task) = tasks.get_mut(to).filter(|_| len < CHUNK) {
            if task.step == step {
                let input = &hashes[to].1;
                task.is_repeated = last.is_some_and(|last| hashes[last].1 == *input);
                if !task.is_repeated {
                    messages[len] = input;
                    len += 1;
                }
                *last = Some(to);
            }
            to += 1;
        }
        let mut results = [[0; WORD_BYTES]; CHUNK];
        keccak256_many(&messages[..len], &mut results[..len]);
        let mut results = results.iter();
        for (task, (_, _, result)) in tasks[from..to].iter().zip(&mut hashes[from..to]) {
            if task.step == step {
                if !task.is_repeated {
                    hash = results.next().map_or(hash, B256::from);
                }
                *result = hash;
                let offset = U256::from(task.offset);
                slots[task.slot].2 = U256::from_be_bytes(hash.0).wrapping_add(offset);
            }
        }
        to
    }

    /// Whether every access of a run was predicted, except for the caller's account.
    pub(super) fn cover(&self, caller: Address, observed: &ObservedRun<'_>) -> bool {
        observed.touches.iter().all(|touch| {
            let access = if touch.written { Access::Write } else { Access::Read };
            let address = touch.key.address;
            match touch.key.slot {
                None => {
                    let is_it =
                        |(_, of, how): &(_, Address, Access)| *of == address && *how >= access;
                    address == caller || self.accounts.iter().any(is_it)
                }
                Some(slot) => self.slots.iter().any(|(_, of, predicted, how)| {
                    *of == address && *predicted == slot && *how >= access
                }),
            }
        })
    }
}
