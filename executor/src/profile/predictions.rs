use alloc::vec::Vec;

use alloy_primitives::{Address, B256, U256};
use turnpike_keccak::keccak256_many;

use super::{
    Access, Observed,
    call::{Call, WORD_BYTES},
    forecast::{Forecast, SlotRule},
    rule::{Order, STEPS_MAX, Step},
};
use crate::keccak::INPUT_BYTES;

/// What a batch of transactions is likely to do. Each list is in the order of the transactions, which are meant by
/// their numbers. Reused from batch to batch.
#[derive(Debug, Default)]
pub(crate) struct Predictions {
    pub(crate) accounts: Vec<(u32, Address, Access)>,
    pub(crate) slots: Vec<(u32, Address, U256, Access)>,
    /// What was hashed to find the slots, for whoever is going to hash it again.
    pub(crate) hashes: Vec<(u32, [u8; INPUT_BYTES], B256)>,
    /// Transactions about which something is known, and the gas that they are likely to use.
    pub(crate) known: Vec<(u32, u64)>,
    /// Transactions about which nothing is known, or whose function cannot be predicted.
    pub(crate) unknown: Vec<u32>,
    /// What becomes of each of the hashes.
    lanes: Vec<Lane>,
    /// How many of them are done.
    lanes_done: usize,
}

/// A step on the way to a slot: the slot's entry holds the position that was reached.
#[derive(Debug)]
struct Lane {
    /// Place of the slot in the list.
    slot: usize,
    step: usize,
    order: Order,
    offset: u8,
    /// Whether the same is hashed as in the lane before it that takes the same step.
    is_repeated: bool,
}

/// Hashes that are computed at a time.
const CHUNK: usize = 64;

impl Predictions {
    /// Forgets the batch, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        let Self { accounts, slots, hashes, known, unknown, lanes, lanes_done } = self;
        accounts.clear();
        slots.clear();
        hashes.clear();
        known.clear();
        unknown.clear();
        lanes.clear();
        *lanes_done = 0;
    }

    /// Notes what a call is likely to do. Slots behind hashes are right only after [`Self::hash`].
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
    fn add_slot(&mut self, tx: u32, call: &Call<'_>, rule: &SlotRule, steps: &[Step]) {
        let lanes_before = self.lanes.len();
        for (step, Step { key, order, offset }) in steps.iter().enumerate() {
            let Some(key) = key.word(call) else {
                // Calldata that is too short: it finds no slot.
                self.lanes.truncate(lanes_before);
                self.hashes.truncate(lanes_before);
                return;
            };
            self.hashes.push((tx, order.input(&key, U256::ZERO), B256::ZERO));
            let (slot, order, offset) = (self.slots.len(), *order, *offset);
            self.lanes.push(Lane { slot, step, order, offset, is_repeated: false });
        }
        self.slots.push((tx, rule.contract, rule.position, rule.access));
    }

    /// Computes the hashes and with them the slots: for all transactions the first steps, then the second ones.
    pub(super) fn hash(&mut self) {
        for step in 0..STEPS_MAX {
            if !self.prepare(step) {
                break;
            }
            let mut from = self.lanes_done;
            let mut before = B256::ZERO;
            while from < self.lanes.len() {
                from = self.hash_chunk(step, from, &mut before);
            }
        }
        self.lanes_done = self.lanes.len();
    }

    /// Fills in the positions that a step starts from. Says whether anything takes that step.
    fn prepare(&mut self, step: usize) -> bool {
        let Self { slots, hashes, lanes, lanes_done, .. } = self;
        let mut before: Option<usize> = None;
        for (at, lane) in lanes.iter_mut().enumerate().skip(*lanes_done) {
            if lane.step != step {
                continue;
            }
            let position = slots[lane.slot].2;
            lane.order.set_position(&mut hashes[at].1, position);
            lane.is_repeated = before.is_some_and(|before| hashes[before].1 == hashes[at].1);
            before = Some(at);
        }
        before.is_some()
    }

    /// Takes a step in as many lanes as are computed at a time, and says where to go on.
    fn hash_chunk(&mut self, step: usize, from: usize, before: &mut B256) -> usize {
        let Self { slots, hashes, lanes, .. } = self;
        let mut messages: [&[u8]; CHUNK] = [&[]; CHUNK];
        let (mut len, mut to) = (0, from);
        for (lane, (_, input, _)) in lanes[from..].iter().zip(&hashes[from..]) {
            if lane.step == step && !lane.is_repeated {
                if len == CHUNK {
                    break;
                }
                messages[len] = input;
                len += 1;
            }
            to += 1;
        }
        let mut results = [[0; WORD_BYTES]; CHUNK];
        keccak256_many(&messages[..len], &mut results[..len]);
        let mut results = results.into_iter();
        for (lane, (_, _, hash)) in lanes[from..to].iter().zip(&mut hashes[from..to]) {
            if lane.step != step {
                continue;
            }
            if !lane.is_repeated {
                *before = results.next().map_or(*before, B256::new);
            }
            *hash = *before;
            slots[lane.slot].2 =
                U256::from_be_bytes(before.0).wrapping_add(U256::from(lane.offset));
        }
        to
    }

    /// Whether all that a run accessed is in here, but for the caller's account.
    pub(super) fn cover(&self, caller: Address, observed: &Observed<'_>) -> bool {
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
