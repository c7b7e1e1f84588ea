//! Which transactions run next in lanes, and in which.

use std::time::Instant;

use alloy_primitives::Address;
use turnpike_state::StateView;

use super::{
    StageTimes,
    pace::PROBE,
    partition::{CHUNKS_MAX, Partition},
    predict::Chunk,
    run::Start,
    speculate::{Speculation, call, samples},
    workers::{Panicked, Workers},
};
use crate::{
    BlockTransaction, ExecutionError, FeeRule,
    base::ViewError,
    journal::Layer,
    profile::Profiles,
    runner::{Ran, Runner},
    spec::VAULTS,
};

/// A wave is cut short if it takes so many times as long for a transaction as its beginning would.
const SLOWER_MAX: f64 = 1.4;

/// Chunks that a wave is cut into for each worker, if it can be.
const CHUNKS_PER_WORKER: usize = 8;

/// Transactions of a chunk, at most: so many that its keys can be numbered.
const CHUNK_LEN_MAX: usize = 1_024;

/// A wave that was planned: transactions from the front of a slice, in lanes.
#[derive(Debug)]
pub(super) struct Wave {
    pub(super) chunks: Vec<Chunk>,
    pub(super) partition: Partition,
    /// Runs of some of the transactions by themselves, in their order.
    speculations: Vec<Speculation>,
}

impl Wave {
    pub(super) fn len(&self) -> usize {
        self.partition.lane_of.len()
    }

    /// What is expected of a transaction and those around it.
    pub(super) fn chunk_of(&self, tx: u32) -> &Chunk {
        &self.chunks[tx as usize / self.chunks[0].costs.len()]
    }

    /// Takes what came of a transaction when it ran by itself for what comes of it now, if that is so.
    pub(super) fn adopt<S: StateView + Copy>(
        &self,
        tx: u32,
        runner: &mut Runner<Layer<'_, S>>,
    ) -> Result<Option<Ran>, ExecutionError<S::Error>> {
        let Some(Speculation { ran: Some(ran), state, .. }) = find(&self.speculations, tx) else {
            return Ok(None);
        };
        let adopted = runner.evm.ctx.journaled_state.adopt(state);
        match adopted {
            Ok(true) => Ok(Some(ran.clone())),
            Ok(false) => Ok(None),
            Err(ViewError(error)) => Err(ExecutionError::State(error)),
        }
    }
}

/// Plans a wave.
pub(super) struct Planner<'a, S, T> {
    start: Start<'a, S>,
    profiles: &'a mut Profiles,
    /// The transactions that have not run.
    rest: &'a [T],
    /// Whom all of them pay fees to.
    recipients: Vec<Address>,
    /// In the order of their transactions.
    speculations: Vec<Speculation>,
    pub(super) times: StageTimes,
}

impl<'a, S, T> Planner<'a, S, T>
where
    S: StateView + Copy + Send + Sync,
    S::Error: Send + Sync,
    T: BlockTransaction + Sync,
{
    pub(super) fn new(start: Start<'a, S>, profiles: &'a mut Profiles, rest: &'a [T]) -> Self {
        let recipients = match start.spec.fees {
            FeeRule::Vaults => VAULTS.to_vec(),
            FeeRule::Beneficiary => vec![start.context.header.beneficiary],
        };
        let (speculations, times) = (Vec::new(), StageTimes::default());
        Self { start, profiles, rest, recipients, speculations, times }
    }

    /// A wave of transactions that ask for no more than so much gas; `None` if lanes are not worth it.
    pub(super) fn plan(&mut self, gas: u64) -> Result<Option<Wave>, Panicked> {
        let engine = self.start.engine;
        let (workers, grain) = (&engine.workers, engine.config.grain);
        let probe = self.predict(&engine.alone, PROBE.min(self.rest.len()), PROBE)?;
        let expected: u64 = probe.iter().map(Chunk::cost).sum();
        let expected = expected * self.rest.len() as u64 / PROBE.min(self.rest.len()) as u64;
        let Some(time) = self.time_of(&probe)?.filter(|_| expected >= grain.threads_from) else {
            return Ok(None);
        };
        let time_max = grain.time_max().min(SLOWER_MAX * time);
        let chunk_len = self.rest.len().div_ceil(workers.count() * CHUNKS_PER_WORKER);
        let chunk_len = chunk_len.clamp(grain.chunk_transactions, CHUNK_LEN_MAX);
        let mut chunks = self.predict(workers, self.rest.len(), chunk_len)?;
        let mut asked = 0_u64;
        let fitting = chunks.iter().take_while(|chunk| {
            asked = asked.saturating_add(chunk.gas_limit);
            asked <= gas && chunk.fits_lanes()
        });
        let fitting = fitting.count();
        chunks.truncate(fitting.min(CHUNKS_MAX));
        while chunks.iter().map(Chunk::cost).sum::<u64>() >= grain.threads_from.max(1) {
            let start = Instant::now();
            let partition = Partition::new(workers, &chunks, grain)?;
            self.times.partition += start.elapsed();
            if partition.time(workers.count()) <= time_max {
                let speculations = std::mem::take(&mut self.speculations);
                return Ok(Some(Wave { chunks, partition, speculations }));
            }
            // The longer a wave, the more of it hangs together.
            chunks.truncate(chunks.len() / 2);
        }
        Ok(None)
    }

    /// The part of the time that lanes would take, if it is little enough.
    fn time_of(&mut self, probe: &[Chunk]) -> Result<Option<f64>, Panicked> {
        let engine = self.start.engine;
        if !probe.iter().all(Chunk::fits_lanes) {
            return Ok(None);
        }
        let start = Instant::now();
        let partition = Partition::new(&engine.alone, probe, engine.config.grain)?;
        self.times.partition += start.elapsed();
        let time = partition.time(engine.workers.count());
        Ok((time <= engine.config.grain.time_max()).then_some(time))
    }

    /// Tells what the first `len` transactions will touch, in chunks of so many.
    fn predict(
        &mut self,
        workers: &Workers,
        len: usize,
        chunk_len: usize,
    ) -> Result<Vec<Chunk>, Panicked> {
        let start = Instant::now();
        let parts: Vec<(u32, &[T])> =
            (0_u32..).step_by(chunk_len).zip(self.rest[..len].chunks(chunk_len)).collect();
        let one = |profiles: &Profiles, (first, part): (u32, &[T])| {
            let has_code = |address: &Address| self.start.has_code(address);
            Chunk::predict(first, part, profiles, &self.recipients, has_code)
        };
        let profiles = &*self.profiles;
        let mut chunks = workers.map(parts.len(), || (), |(), at| one(profiles, parts[at]))?;
        let unknown = |chunks: &[Chunk]| -> Vec<u32> {
            chunks.iter().flat_map(|chunk| chunk.unknown.iter().copied()).collect()
        };
        if !unknown(&chunks).is_empty() {
            let has_code = |address: &Address| self.start.has_code(address);
            self.speculate(samples(self.rest, unknown(&chunks).into_iter(), has_code))?;
            let profiles = &*self.profiles;
            let again: Vec<usize> =
                (0..parts.len()).filter(|at| !chunks[*at].unknown.is_empty()).collect();
            let one = |profiles: &Profiles, (first, part): (u32, &[T])| {
                let has_code = |address: &Address| self.start.has_code(address);
                Chunk::predict(first, part, profiles, &self.recipients, has_code)
            };
            let better =
                workers.map(again.len(), || (), |(), at| one(profiles, parts[again[at]]))?;
            for (at, chunk) in again.into_iter().zip(better) {
                chunks[at] = chunk;
            }
            self.speculate(unknown(&chunks))?;
            for chunk in &mut chunks {
                let callee = |tx: u32| Some(self.rest[tx as usize].call()?.0);
                chunk.complete(|tx| find(&self.speculations, tx), callee, &self.recipients);
            }
        }
        self.times.predict += start.elapsed();
        Ok(chunks)
    }

    /// Runs transactions by themselves, if they did not, and learns from it.
    fn speculate(&mut self, mut wanted: Vec<u32>) -> Result<(), Panicked> {
        let Self { start, profiles, rest, speculations, .. } = self;
        wanted.retain(|tx| find(speculations, *tx).is_none());
        if wanted.is_empty() {
            return Ok(());
        }
        let done = start.engine.workers.map(
            wanted.len(),
            || start.worker(),
            |worker, at| worker.speculate(wanted[at], &rest[wanted[at] as usize]),
        )?;
        for speculation in &done {
            if let Some(call) = call(&rest[speculation.tx as usize]) {
                speculation.teach(call, profiles, |address| start.has_code(address));
            }
        }
        speculations.extend(done);
        speculations.sort_unstable_by_key(|speculation| speculation.tx);
        Ok(())
    }
}

fn find(speculations: &[Speculation], tx: u32) -> Option<&Speculation> {
    let at = speculations.binary_search_by_key(&tx, |speculation| speculation.tx).ok()?;
    Some(&speculations[at])
}
