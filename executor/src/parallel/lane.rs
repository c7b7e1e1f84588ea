use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use turnpike_state::StateView;

use crate::{
    BlockTransaction, ExecutionError, Included, SkipReason,
    journal::{LaneState, Layer},
    runner::{LOOK_AHEAD, Ran, Runner, Stop},
};

/// A lane: transactions that run in order on one worker, and what came of them so far.
#[derive(Debug)]
pub(crate) struct Lane<T> {
    /// Places in the slice of all that it was given.
    pub(crate) numbers: Vec<u32>,
    /// Those that have not run.
    rest: std::vec::IntoIter<T>,
    pub(crate) included: Vec<Included<T>>,
    /// Those that were invalid at their turn: place in the slice, and why.
    pub(crate) skipped: Vec<(u32, T, SkipReason)>,
    pub(crate) state: LaneState,
    pub(crate) gas_used: u64,
    pub(crate) time: Duration,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new())
    }
}

impl<T> Lane<T> {
    /// A lane that is to run transactions, of which these are the places in the slice.
    pub(crate) fn new(numbers: Vec<u32>, transactions: Vec<T>) -> Self {
        Self {
            included: Vec::with_capacity(transactions.len()),
            numbers,
            rest: transactions.into_iter(),
            skipped: Vec::new(),
            state: LaneState::default(),
            gas_used: 0,
            time: Duration::ZERO,
        }
    }

    /// How many transactions it was given.
    pub(crate) const fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Gives back all transactions, each with its place in the slice.
    pub(crate) fn into_transactions(self) -> impl Iterator<Item = (u32, T)> {
        let mut skipped = VecDeque::from(self.skipped);
        let mut ran = self.included.into_iter().map(|included| included.tx).chain(self.rest);
        self.numbers.into_iter().map(move |number| {
            let tx = match skipped.front() {
                Some((place, ..)) if *place == number => skipped.pop_front().map(|(_, tx, _)| tx),
                _ => ran.next(),
            };
            (number, tx.expect("invariant: a lane keeps what it was given"))
        })
    }
}

impl<T: BlockTransaction> Lane<T> {
    /// Runs the lane's transactions. That the block has gas for all of them is seen to before.
    pub(crate) fn run<S: StateView + Copy>(
        &mut self,
        runner: &mut Runner<Layer<'_, S>>,
    ) -> Result<(), ExecutionError<S::Error>> {
        let start = Instant::now();
        let mut until_look = 0;
        for place in 0..self.numbers.len() {
            if until_look == 0 {
                let ahead = self.rest.as_slice();
                until_look = LOOK_AHEAD;
                runner.look_ahead(&ahead[..ahead.len().min(LOOK_AHEAD)]);
            }
            until_look -= 1;
            // It stays with the lane if running it panics.
            let [tx, ..] = self.rest.as_slice() else { break };
            let result = runner.run(tx, u64::MAX);
            let Some(tx) = self.rest.next() else { break };
            match result {
                Ok(ran) => self.include(tx, ran),
                Err(Stop::Skip(reason)) => self.skipped.push((self.numbers[place], tx, reason)),
                Err(Stop::Fatal(error)) => return Err(error),
            }
        }
        self.time = start.elapsed();
        Ok(())
    }

    fn include(&mut self, tx: T, ran: Ran) {
        self.gas_used += ran.gas_used;
        self.included.push(Included::new(tx, ran));
    }
}
