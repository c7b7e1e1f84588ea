//! A lane: transactions that run in order on one worker.

use std::{
    collections::VecDeque,
    ops::Range,
    time::{Duration, Instant},
};

use alloy_primitives::Address;
use turnpike_state::StateView;

use super::{chunk::Chunk, wave_plan::WavePlan};
use crate::{
    BlockTransaction, ExecutionError, Included, SkipReason,
    block_state::{LaneBase, LaneState},
    profile::StateKey,
    room::Used,
    runner::{LOOK_AHEAD, Runner, TxError, TxOutcome},
};

/// A lane: transactions that run in order on one worker, and their outcome so far.
#[derive(Debug)]
pub(crate) struct Lane<T> {
    /// Positions of its transactions in the slice.
    pub(crate) numbers: Vec<u32>,
    /// Transactions that have not run yet.
    rest: std::vec::IntoIter<T>,
    pub(crate) included: Vec<Included<T>>,
    /// Transactions that were invalid at their turn: position, transaction, reason.
    pub(crate) skipped: Vec<(u32, T, SkipReason)>,
    pub(crate) state: LaneState,
    pub(crate) used: Used,
    /// Calls that accessed unexpected keys and so caused a conflict.
    pub(crate) missed: Vec<MispredictedCall>,
    /// Number of transactions whose speculative run was reused.
    pub(crate) reused: usize,
    /// Execution time, including that of reused speculative runs.
    pub(crate) time: Duration,
}

/// A call whose prediction was wrong.
#[derive(Clone, Debug)]
pub(crate) struct MispredictedCall {
    pub(crate) caller: Address,
    pub(crate) to: Address,
    pub(crate) data: Vec<u8>,
}

/// Maximum number of mispredicted calls that a lane notes.
const MISSED_MAX: usize = 16;

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new())
    }
}

impl<T> Lane<T> {
    /// Creates a lane for `transactions`, with their positions in the slice.
    pub(crate) fn new(numbers: Vec<u32>, transactions: Vec<T>) -> Self {
        Self {
            included: Vec::with_capacity(transactions.len()),
            numbers,
            rest: transactions.into_iter(),
            skipped: Vec::new(),
            state: LaneState::default(),
            used: Used::default(),
            missed: Vec::new(),
            reused: 0,
            time: Duration::ZERO,
        }
    }

    /// Number of the lane's transactions.
    pub(crate) const fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Returns all transactions, each with its position in the slice.
    pub(crate) fn into_transactions(self) -> impl Iterator<Item = (u32, T)> {
        let mut skipped = VecDeque::from(self.skipped);
        let mut ran = self.included.into_iter().map(|included| included.tx).chain(self.rest);
        self.numbers.into_iter().map(move |number| {
            let tx = match skipped.front() {
                Some((place, ..)) if *place == number => skipped.pop_front().map(|(_, tx, _)| tx),
                _ => ran.next(),
            };
            (number, tx.expect("invariant: a lane keeps all its transactions"))
        })
    }
}

impl<T: BlockTransaction> Lane<T> {
    /// Executes the lane's transactions. The planner has checked that the block has gas for all of
    /// them. `missed` are the keys of the last round's conflicts.
    pub(crate) fn run<S: StateView + Copy>(
        &mut self,
        runner: &mut Runner<LaneBase<'_, S>>,
        wave: &WavePlan,
        missed: &[StateKey],
    ) -> Result<(), ExecutionError<S::Error>> {
        let start = Instant::now();
        let mut saved = Duration::ZERO;
        let mut until_look = 0;
        for place in 0..self.numbers.len() {
            if until_look == 0 {
                self.mark_owned(wave, place.saturating_sub(LOOK_AHEAD)..place, runner);
                let len = self.rest.as_slice().len().min(LOOK_AHEAD);
                until_look = LOOK_AHEAD;
                runner.fetch_accounts(&self.rest.as_slice()[..len]);
                let ahead = self.numbers[place..][..len].iter();
                let ahead = ahead.map(|number| (wave.chunk_of(*number), *number));
                let slots = ahead.clone().flat_map(|(chunk, number)| chunk.slots_of(number));
                let hashes = ahead.flat_map(|(chunk, number)| chunk.hashes_of(number));
                runner.fetch_slots(
                    slots.map(|slot| slot.key),
                    hashes.map(|(_, input, hash)| (input, *hash)),
                );
            }
            until_look -= 1;
            // The transaction stays in the lane until it has run, so that a panic does not lose it.
            let [tx, ..] = self.rest.as_slice() else { break };
            let number = self.numbers[place];
            #[cfg(feature = "faults")]
            crate::faults::before(number).map_err(ExecutionError::Evm)?;
            let turn = runner.evm.ctx.journaled_state.turn();
            let result = match wave.adopt(number, runner) {
                Ok(Some((ran, time))) => {
                    self.reused += 1;
                    saved += time;
                    Ok(ran)
                }
                Ok(None) => runner.run(tx, u64::MAX),
                Err(error) => return Err(error),
            };
            let result = match result {
                // The transaction stays in the lane, as if it had not started.
                Err(TxError::Fatal(error)) => return Err(error),
                Err(TxError::Skip(reason)) => Err(reason),
                Ok(ran) => Ok(ran),
            };
            let Some(tx) = self.rest.next() else { break };
            if !missed.is_empty() {
                let block_state = &runner.evm.ctx.journaled_state;
                let touched = missed.iter().filter(|key| block_state.was_touched(key, turn));
                self.note_miss(&tx, touched, wave.chunk_of(number), number);
            }
            match result {
                Ok(ran) => self.include(tx, ran),
                Err(reason) => self.skipped.push((number, tx, reason)),
            }
        }
        let done = self.numbers.len();
        self.mark_owned(wave, done - done.min(LOOK_AHEAD)..done, runner);
        self.time = start.elapsed() + saved;
        Ok(())
    }

    /// Records the call if it accessed one of the `touched` keys unexpectedly.
    fn note_miss<'k>(
        &mut self,
        tx: &T,
        mut touched: impl Iterator<Item = &'k StateKey>,
        chunk: &Chunk,
        number: u32,
    ) {
        let is_expected = |key: &StateKey| match key.slot {
            None => chunk.accounts_of(number).iter().any(|other| other.key == key.address),
            Some(slot) => {
                chunk.slots_of(number).iter().any(|other| other.key == (key.address, slot))
            }
        };
        if self.missed.len() < MISSED_MAX
            && !touched.all(is_expected)
            && let (Ok(caller), Some((to, data))) = (tx.sender(), tx.call())
        {
            self.missed.push(MispredictedCall { caller, to, data: data.to_vec() });
        }
    }

    /// Marks the keys that the wave assigned to this lane, among those that transactions accessed.
    fn mark_owned<S: StateView + Copy>(
        &self,
        wave: &WavePlan,
        places: Range<usize>,
        runner: &mut Runner<LaneBase<'_, S>>,
    ) {
        let block_state = &mut runner.evm.ctx.journaled_state;
        for number in &self.numbers[places] {
            let chunk = wave.chunk_of(*number);
            let slots = chunk.slots_of(*number);
            if slots.is_empty() {
                // These are mostly plain transfers, which mark their accounts themselves.
                continue;
            }
            for account in chunk.accounts_of(*number).iter().filter(|key| key.is_written()) {
                block_state.mark_account_owned(&account.key);
            }
            for slot in slots.iter().filter(|key| key.is_written()) {
                block_state.mark_slot_owned(&slot.key.0, slot.key.1);
            }
        }
    }

    fn include(&mut self, tx: T, ran: TxOutcome) {
        self.used.count(ran.load(), tx.mint().is_some());
        self.included.push(Included::new(tx, ran));
    }
}

/// All transactions of several lanes, in the order of the slice, with their positions.
pub(crate) fn into_slice_order<T>(lanes: impl IntoIterator<Item = Lane<T>>) -> Vec<(u32, T)> {
    let mut all: Vec<(u32, T)> = lanes.into_iter().flat_map(Lane::into_transactions).collect();
    all.sort_unstable_by_key(|(number, _)| *number);
    all
}
