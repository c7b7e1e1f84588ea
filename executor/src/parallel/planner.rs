//! Plans the next wave: selects the transactions that run in lanes, and assigns them to lanes.

use std::time::Instant;

use alloy_eips::eip2930::AccessListItem;
use alloy_primitives::Address;
use turnpike_state::StateView;

use super::{
    call_kinds::CallKinds,
    chunk::{Chunk, gas_bound},
    lane_worker::WaveStart,
    lock::lock,
    partition::{CHUNKS_MAX, Partition},
    report::SliceReport,
    speculation::{Speculation, find_speculation},
    wave_plan::WavePlan,
    workers::{Panicked, Workers},
};
#[cfg(feature = "faults")]
use crate::faults::{self, Fault};
use crate::{
    BlockTransaction, FeeRule,
    profile::{Call, Profiles, StateKey},
    spec::VAULTS,
};

/// Number of transactions that are predicted first, to see whether lanes pay off.
const PROBE_TRANSACTIONS: usize = 512;

/// A wave is cut short if its time per transaction exceeds that of its beginning by this factor.
const SLOWER_MAX: f64 = 1.4;

/// Target number of chunks per worker.
const CHUNKS_PER_WORKER: usize = 8;

/// Maximum number of transactions per chunk, so that its keys can be numbered.
const CHUNK_LEN_MAX: usize = 1_024;

/// Number of transactions that may always run speculatively.
const SPECULATED_MIN: usize = 8;

/// Sum of gas limits that speculative runs may always have.
const SPECULATED_GAS_MIN: u64 = 16_000_000;

/// How the next transactions of a slice run.
pub(super) enum SlicePlan {
    Lanes(WavePlan),
    /// Sequentially.
    Sequential {
        /// Number of transactions.
        len: usize,
        /// Speculative runs of some of them.
        speculations: Vec<Speculation>,
        /// Whether planning lanes was wasted.
        planning_was_wasted: bool,
    },
}

/// Plans one wave.
pub(super) struct Planner<'a, S, T> {
    start: WaveStart<'a, S>,
    profiles: &'a mut Profiles,
    /// Transactions that have not run yet.
    rest: &'a [T],
    /// Accounts to which all transactions pay fees.
    recipients: Vec<Address>,
    /// Speculative runs, in the order of their transactions.
    speculations: Vec<Speculation>,
    /// Gas that the block has left.
    gas: u64,
    report: &'a mut SliceReport,
}

impl<'a, S, T> Planner<'a, S, T>
where
    S: StateView + Copy + Send + Sync,
    S::Error: Send + Sync,
    T: BlockTransaction + Sync,
{
    pub(super) fn new(
        start: WaveStart<'a, S>,
        profiles: &'a mut Profiles,
        rest: &'a [T],
        speculations: Vec<Speculation>,
        gas: u64,
        report: &'a mut SliceReport,
    ) -> Self {
        let recipients = match start.spec.fees {
            FeeRule::Vaults => VAULTS.to_vec(),
            FeeRule::Beneficiary => vec![start.context.header.beneficiary],
        };
        Self { start, profiles, rest, recipients, speculations, gas, report }
    }

    /// Plans a wave that fits the gas that the block has left, whatever its transactions use.
    pub(super) fn plan(&mut self) -> Result<SlicePlan, Panicked> {
        let begin = Instant::now();
        #[cfg(feature = "faults")]
        let gas = if faults::is(Fault::GasUnchecked) { u64::MAX } else { self.gas };
        #[cfg(not(feature = "faults"))]
        let gas = self.gas;
        let engine = self.start.engine;
        let (workers, grain) = (&engine.workers, engine.config.grain);
        let probe_len = PROBE_TRANSACTIONS.min(self.rest.len());
        let asked = self.rest[..probe_len].iter().map(gas_bound);
        let asked = asked.fold(0, u64::saturating_add);
        if probe_len == self.rest.len() && asked < grain.threads_from {
            return Ok(self.in_order(probe_len, false));
        }
        let probe = self.predict(&engine.alone, probe_len, PROBE_TRANSACTIONS)?;
        let expected: u64 = probe.iter().map(Chunk::cost).sum();
        let expected = expected * self.rest.len() as u64 / probe_len as u64;
        if let Some(plan) = self.stop_at_fees(&probe, probe_len) {
            return Ok(plan);
        }
        if !probe.iter().all(Chunk::is_numbered) {
            return Ok(self.in_order(probe_len, true));
        }
        let start = Instant::now();
        let time = Partition::new(&engine.alone, &probe, grain)?.time(workers.count());
        self.report.times.partition += start.elapsed();
        if expected < grain.threads_from || time > grain.time_max() {
            return Ok(self.in_order(probe_len, time > grain.time_max()));
        }
        let time_max = grain.time_max().min(SLOWER_MAX * time);
        let chunk_len = self.rest.len().div_ceil(workers.count() * CHUNKS_PER_WORKER);
        let chunk_len = chunk_len.max(grain.chunk_transactions).clamp(1, CHUNK_LEN_MAX);
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
            self.report.times.partition += start.elapsed();
            if partition.time(workers.count()) <= time_max {
                let speculations = std::mem::take(&mut self.speculations);
                let planned_in = begin.elapsed();
                return Ok(SlicePlan::Lanes(WavePlan {
                    chunks,
                    partition,
                    speculations,
                    planned_in,
                }));
            }
            // The longer a wave, the more of its transactions depend on each other.
            chunks.truncate(chunks.len() / 2);
        }
        Ok(self.in_order(probe_len, true))
    }

    /// Ends the wave before the first transaction that accesses an account to which all others pay
    /// fees. If that transaction comes early, there is no wave.
    fn stop_at_fees(&mut self, probe: &[Chunk], probe_len: usize) -> Option<SlicePlan> {
        let readers = || probe.iter().flat_map(|chunk| &chunk.fee_readers);
        let first = *readers().min()? as usize;
        let from = self.start.engine.config.grain.transactions_from;
        if first >= from {
            self.rest = &self.rest[..first];
            return None;
        }
        let are_few = readers().count() * 2 * from < probe_len;
        Some(self.in_order(if are_few { first + 1 } else { probe_len }, true))
    }

    fn in_order(&mut self, len: usize, planning_was_wasted: bool) -> SlicePlan {
        let speculations = std::mem::take(&mut self.speculations);
        SlicePlan::Sequential { len, speculations, planning_was_wasted }
    }

    /// Predicts the accesses of the first `len` transactions, in chunks of `chunk_len`.
    fn predict(
        &mut self,
        workers: &Workers,
        len: usize,
        chunk_len: usize,
    ) -> Result<Vec<Chunk>, Panicked> {
        let start = Instant::now();
        let len = len.min(self.rest.len());
        let parts = self.rest[..len].chunks(chunk_len);
        let parts: Vec<(u32, &[T])> = (0_u32..).step_by(chunk_len).zip(parts).collect();
        let mut chunks = self.predict_parts(workers, &parts)?;
        if chunks.iter().any(|chunk| !chunk.unknown.is_empty()) {
            self.explore_unknown(workers, &parts, &mut chunks)?;
        }
        self.report.predicted += chunks.iter().map(|chunk| chunk.known).sum::<usize>();
        self.report.times.predict += start.elapsed();
        Ok(chunks)
    }

    fn predict_parts(
        &self,
        workers: &Workers,
        parts: &[(u32, &[T])],
    ) -> Result<Vec<Chunk>, Panicked> {
        let Self { start, profiles, recipients, .. } = self;
        let profiles: &Profiles = profiles;
        workers.map(
            parts.len(),
            || (),
            |(), at| {
                let (first, part) = parts[at];
                Chunk::predict(first, part, profiles, recipients, |address| start.has_code(address))
            },
        )
    }

    /// Learns about unknown transactions by running some speculatively.
    fn explore_unknown(
        &mut self,
        workers: &Workers,
        parts: &[(u32, &[T])],
        chunks: &mut [Chunk],
    ) -> Result<(), Panicked> {
        let unknown = |chunks: &[Chunk]| -> Vec<u32> {
            chunks.iter().flat_map(|chunk| chunk.unknown.iter().copied()).collect()
        };
        let all = unknown(chunks).into_iter();
        let mut kinds = CallKinds::new(self.rest, all, |address| self.start.has_code(address));
        self.speculate(kinds.samples())?;
        let again: Vec<usize> =
            (0..parts.len()).filter(|at| !chunks[*at].unknown.is_empty()).collect();
        let again_parts: Vec<_> = again.iter().map(|at| parts[*at]).collect();
        for (at, chunk) in again.into_iter().zip(self.predict_parts(workers, &again_parts)?) {
            chunks[at] = chunk;
        }
        kinds.find_guards(|tx| find_speculation(&self.speculations, tx));
        let mut unguarded = unknown(chunks);
        self.report.unknown += unguarded.len();
        unguarded.retain(|tx| kinds.guard(*tx).is_empty());
        self.speculate(unguarded)?;
        for chunk in chunks {
            let speculation = |tx| find_speculation(&self.speculations, tx);
            let declared_keys = |tx: u32| declared_keys(&self.rest[tx as usize]);
            chunk.complete(speculation, |tx| kinds.guard(tx), declared_keys, &self.recipients);
        }
        Ok(())
    }

    /// Runs transactions speculatively, unless they have run already, and teaches the profiles.
    fn speculate(&mut self, mut wanted: Vec<u32>) -> Result<(), Panicked> {
        let Self { start, profiles, rest, speculations, report, gas, .. } = self;
        wanted.retain(|tx| find_speculation(speculations, *tx).is_none());
        let part = lock(&start.engine.speculation_budget).part();
        let room = (rest.len() / part).max(SPECULATED_MIN);
        wanted.truncate(room.saturating_sub(speculations.len()));
        let gas_max = (*gas / part as u64).max(SPECULATED_GAS_MIN);
        // Transactions behind the wave's end are no longer needed.
        let gas_limit = |tx: u32| rest.get(tx as usize).map_or(0, BlockTransaction::gas_limit);
        let mut asked =
            speculations.iter().map(|run| gas_limit(run.tx)).fold(0, u64::saturating_add);
        wanted.retain(|tx| {
            asked = asked.saturating_add(gas_limit(*tx));
            asked <= gas_max
        });
        if wanted.is_empty() {
            return Ok(());
        }
        let done = start.engine.workers.map(
            wanted.len(),
            || start.worker(),
            |worker, at| worker.speculate(wanted[at], &rest[wanted[at] as usize]),
        )?;
        report.speculated += done.len();
        for speculation in &done {
            if let Some(call) = Call::of(&rest[speculation.tx as usize]) {
                speculation.teach(call, profiles, |address| start.has_code(address));
            }
        }
        speculations.extend(done);
        speculations.sort_unstable_by_key(|speculation| speculation.tx);
        Ok(())
    }
}

/// The accesses that a transaction declares: the slots of its access list, which it is expected to
/// change. Without an access list, the account that it calls.
fn declared_keys<T: BlockTransaction>(tx: &T) -> Vec<StateKey> {
    let list = tx.access_list().map_or(&[][..], |list| &list.0);
    let slots = list.iter().flat_map(|AccessListItem { address, storage_keys }| {
        storage_keys.iter().map(|slot| StateKey { address: *address, slot: Some((*slot).into()) })
    });
    let slots: Vec<StateKey> = slots.collect();
    match tx.call() {
        Some((address, _)) if slots.is_empty() => vec![StateKey { address, slot: None }],
        _ => slots,
    }
}
