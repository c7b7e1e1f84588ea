//! A slice, wave by wave.

use std::time::Instant;

use turnpike_state::StateView;

use super::{
    EngineBlock, SliceReport, lane::Lane, pace::PROBE, partition::Partition, predict::Chunk,
    workers::Panicked,
};
use crate::{BlockTransaction, ExecutionError, FeeRule, SpecId, journal::Layer};

/// Fewer transactions never pay for threads.
const TRANSACTIONS_MIN: usize = 16;

/// Lanes are worth it if, at best, they are so many times as fast as one.
const GAIN_MIN: f64 = 1.2;

/// A wave is cut short if it gains so much less than its beginning would.
const GAIN_KEPT: f64 = 0.7;

/// Chunks that a wave is cut into for each worker, if it can be.
const CHUNKS_PER_WORKER: usize = 8;

/// Transactions of a chunk, at most: so many that its keys can be numbered.
const CHUNK_LEN_MAX: usize = 1_024;

/// A wave that was planned: transactions from the front of a slice, in lanes.
pub(super) struct Wave {
    pub(super) chunks: Vec<Chunk>,
    pub(super) partition: Partition,
}

impl Wave {
    pub(super) fn len(&self) -> usize {
        self.partition.lane_of.len()
    }
}

/// How transactions from the front of a slice are to run.
enum Next {
    InOrder(usize),
    InLanes(Wave),
}

impl<S, T> EngineBlock<'_, S, T>
where
    S: StateView + Copy + Send + Sync,
    S::Error: Send + Sync,
    T: BlockTransaction + Clone + Send + Sync,
{
    pub(super) fn run_slice(
        &mut self,
        transactions: Vec<T>,
        report: &mut SliceReport,
    ) -> Result<(), ExecutionError<S::Error>> {
        let mut rest = transactions.into_iter();
        while !rest.as_slice().is_empty() {
            match self.next(rest.as_slice(), report)? {
                Next::InOrder(len) => self.run_in_order(rest.by_ref().take(len), report)?,
                Next::InLanes(wave) => {
                    let lanes = distribute(&wave.partition, rest.by_ref().take(wave.len()));
                    match self.run_wave(&wave, lanes, report)? {
                        Ok(()) => self.pace.was_worth_it(),
                        Err(lanes) => {
                            self.pace.was_not_worth_it();
                            self.run_in_order(collect(lanes), report)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn run_in_order(
        &mut self,
        transactions: impl IntoIterator<Item = T>,
        report: &mut SliceReport,
    ) -> Result<(), ExecutionError<S::Error>> {
        let start = Instant::now();
        self.absorb_pending()?;
        self.main.execute_all(transactions)?;
        report.times.sequential += start.elapsed();
        Ok(())
    }

    /// Decides how the next transactions run.
    fn next(
        &mut self,
        rest: &[T],
        report: &mut SliceReport,
    ) -> Result<Next, ExecutionError<S::Error>> {
        if !self.in_lanes || rest.len() < TRANSACTIONS_MIN || !self.fees_commute()? {
            return Ok(Next::InOrder(rest.len()));
        }
        let paced = self.pace.take(rest.len());
        if paced > 0 {
            return Ok(Next::InOrder(paced));
        }
        let first = &rest[..rest.len().min(PROBE)];
        match self.plan(rest, first.len(), report) {
            Ok(Some(wave)) => Ok(Next::InLanes(wave)),
            Ok(None) => {
                self.pace.was_not_worth_it();
                Ok(Next::InOrder(first.len()))
            }
            Err(Panicked) => {
                self.engine.counters.count_panic();
                Ok(Next::InOrder(rest.len()))
            }
        }
    }

    /// Plans a wave from the front of `rest`; `None` if lanes are not worth it. Looks at the first few transactions by
    /// themselves, since to look at all of them for nothing would cost too much.
    fn plan(
        &self,
        rest: &[T],
        probe_len: usize,
        report: &mut SliceReport,
    ) -> Result<Option<Wave>, Panicked> {
        let workers = &self.engine.workers;
        let gas = self.gas_remaining();
        let grain = self.engine.config.grain;
        let probe = [Chunk::predict(0, &rest[..probe_len])];
        if probe[0].gas_limit > gas {
            return Ok(None);
        }
        let expected = probe[0].cost() * rest.len() as u64 / probe_len as u64;
        if expected < grain.threads_from {
            return Ok(None);
        }
        let start = Instant::now();
        let gain = Partition::new(&self.engine.alone, &probe, grain)?.gain(workers.count());
        report.times.partition += start.elapsed();
        if gain < GAIN_MIN {
            return Ok(None);
        }
        let start = Instant::now();
        let chunk_len = rest.len().div_ceil(workers.count() * CHUNKS_PER_WORKER);
        let chunk_len = chunk_len.clamp(grain.chunk_transactions, CHUNK_LEN_MAX);
        let parts: Vec<&[T]> = rest.chunks(chunk_len).collect();
        let mut chunks = workers.map(
            parts.len(),
            || (),
            |(), at| {
                let first = u32::try_from(at * chunk_len).expect("invariant: a slice is numbered");
                Chunk::predict(first, parts[at])
            },
        )?;
        report.times.predict += start.elapsed();
        let asked = chunks.iter().scan(0_u64, |asked, chunk| {
            *asked = asked.saturating_add(chunk.gas_limit);
            Some(*asked)
        });
        let fitting = asked.take_while(|asked| *asked <= gas).count();
        chunks.truncate(fitting);
        let start = Instant::now();
        let wave = loop {
            if chunks.is_empty() || chunks.iter().map(Chunk::cost).sum::<u64>() < grain.threads_from
            {
                break None;
            }
            let partition = Partition::new(workers, &chunks, grain)?;
            let found = partition.gain(workers.count());
            if found >= GAIN_KEPT * gain && found >= GAIN_MIN {
                break Some(Wave { chunks, partition });
            }
            // The longer a wave, the more of it hangs together.
            chunks.truncate(chunks.len() / 2);
        };
        report.times.partition += start.elapsed();
        Ok(wave)
    }

    /// Whether what transactions pay in fees can be added up in any order. It can not where paying nothing makes a
    /// difference: to an account that is empty, or that does not exist and would by the rules of old.
    fn fees_commute(&self) -> Result<bool, ExecutionError<S::Error>> {
        if self.spec.fees == FeeRule::Vaults {
            return Ok(true);
        }
        let mut layer = Layer::new(&self.main.runner.evm.ctx.journaled_state, self.state);
        let found = layer.account(&self.context.header.beneficiary);
        Ok(match found.map_err(ExecutionError::State)? {
            Some((account, _)) => !account.is_empty(),
            None => self.spec.fork.is_enabled_in(SpecId::SPURIOUS_DRAGON),
        })
    }
}

/// Gives each lane its transactions, in order.
fn distribute<T>(partition: &Partition, transactions: impl Iterator<Item = T>) -> Vec<Lane<T>> {
    let mut counts = vec![0; partition.lanes.len()];
    partition.lane_of.iter().for_each(|lane| counts[usize::from(*lane)] += 1);
    let with_room = |count: &usize| (Vec::with_capacity(*count), Vec::with_capacity(*count));
    let mut lanes: Vec<(Vec<u32>, Vec<T>)> = counts.iter().map(with_room).collect();
    for ((number, lane), tx) in (0..).zip(&partition.lane_of).zip(transactions) {
        let (numbers, transactions) = &mut lanes[usize::from(*lane)];
        numbers.push(number);
        transactions.push(tx);
    }
    lanes.into_iter().map(|(numbers, transactions)| Lane::new(numbers, transactions)).collect()
}

/// Takes lanes apart: their transactions, in order.
pub(super) fn collect<T>(lanes: Vec<Lane<T>>) -> Vec<T> {
    let mut all: Vec<(u32, T)> = lanes.into_iter().flat_map(Lane::into_transactions).collect();
    all.sort_unstable_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, tx)| tx).collect()
}
