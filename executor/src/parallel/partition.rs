//! Groups transactions that may depend on each other, and assigns the groups to lanes.
//!
//! Two transactions depend on each other if both may change a key, or if one may change a key that
//! the other accesses. Connected transactions form a component and run in one lane, in order. A
//! component that is too large to share a lane gets its own. The others fill lanes in the order of
//! their first transactions.

use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::{Address, U256};

use super::{
    chunk::{CHUNK_KEYS_LOG2, Chunk, ExpectedAccess},
    config::Grain,
    disjoint_sets::DisjointSets,
    workers::{Panicked, Workers},
    writer_index::WriterIndex,
};
use crate::{included::LaneNumber, profile::Access};

/// Transactions of a slice, assigned to lanes.
#[derive(Debug)]
pub(crate) struct Partition {
    /// Expected cost of each lane, the most expensive lane first.
    pub(crate) lanes: Vec<u64>,
    /// Lane of each transaction.
    pub(crate) lane_of: Vec<LaneNumber>,
    /// Expected cost of the most expensive component.
    largest: u64,
    accounts: WriterIndex,
    slots: WriterIndex,
}

/// Maximum number of chunks per wave. It is one less than would fit, so that no key's number has
/// all bits set.
pub(crate) const CHUNKS_MAX: usize = (1 << (u32::BITS - CHUNK_KEYS_LOG2)) - 1;

/// Target number of lanes per worker. More lanes make a misprediction cheaper, fewer lanes save the
/// cost of starting and ending a lane.
const LANES_PER_WORKER: u64 = 16;

impl Partition {
    /// Assigns the transactions of `chunks` to lanes.
    pub(crate) fn new(workers: &Workers, chunks: &[Chunk], grain: Grain) -> Result<Self, Panicked> {
        let len = chunks.last().map_or(0, |last| last.first + count(last.costs.len()));
        let sets = DisjointSets::new(len);
        let base = |at: usize| count(at) << CHUNK_KEYS_LOG2;
        let of = |number| account(chunks, number);
        let accounts = WriterIndex::new(
            workers,
            chunks.len(),
            |at| writes(&chunks[at].accounts, base(at)),
            |number| &of(number).key,
            |number, first| sets.join(of(number).tx, of(first).tx),
        )?;
        let of = |number| slot(chunks, number);
        let slots = WriterIndex::new(
            workers,
            chunks.len(),
            |at| writes(&chunks[at].slots, base(at)),
            |number| &of(number).key,
            |number, first| sets.join(of(number).tx, of(first).tx),
        )?;
        let look = |(): &mut (), at: usize| {
            for read in reads(&chunks[at].accounts) {
                if let Some(writer) = accounts.find(&read.key, |at| &account(chunks, at).key) {
                    sets.join(read.tx, account(chunks, writer).tx);
                }
            }
            for read in reads(&chunks[at].slots) {
                if let Some(writer) = slots.find(&read.key, |at| &slot(chunks, at).key) {
                    sets.join(read.tx, slot(chunks, writer).tx);
                }
            }
        };
        workers.map(chunks.len(), || (), look)?;
        let (lanes, lane_of, largest) = lanes(workers, chunks, &sets, grain)?;
        Ok(Self { lanes, lane_of, largest, accounts, slots })
    }

    /// Best-case time on this many workers, as a fraction of the sequential time.
    pub(crate) fn time(&self, workers: usize) -> f64 {
        let total = self.lanes.iter().sum::<u64>().max(1) as f64;
        (self.largest as f64 / total).max(1.0 / workers as f64)
    }

    /// The lane that is expected to change an account, if there is one.
    pub(crate) fn writer_of_account(&self, chunks: &[Chunk], key: &Address) -> Option<LaneNumber> {
        let number = self.accounts.find(key, |number| &account(chunks, number).key)?;
        Some(self.lane_of[account(chunks, number).tx as usize])
    }

    /// The lane that is expected to change a slot, if there is one.
    pub(crate) fn writer_of_slot(
        &self,
        chunks: &[Chunk],
        key: &(Address, U256),
    ) -> Option<LaneNumber> {
        let number = self.slots.find(key, |number| &slot(chunks, number).key)?;
        Some(self.lane_of[slot(chunks, number).tx as usize])
    }
}

/// Cost of each lane, lane of each transaction, and cost of the most expensive component.
fn lanes(
    workers: &Workers,
    chunks: &[Chunk],
    sets: &DisjointSets,
    grain: Grain,
) -> Result<(Vec<u64>, Vec<LaneNumber>, u64), Panicked> {
    let len = chunks.last().map_or(0, |last| last.first as usize + last.costs.len());
    // Cost per component, stored at its root.
    let totals: Vec<AtomicU64> = (0..len).map(|_| AtomicU64::new(0)).collect();
    let sums = workers.map(
        chunks.len(),
        || (),
        |(), at| {
            let Chunk { first, costs, .. } = &chunks[at];
            for (tx, cost) in (*first..).zip(costs) {
                totals[sets.root(tx) as usize].fetch_add(u64::from(*cost), Ordering::Relaxed);
            }
            costs.iter().map(|cost| u64::from(*cost)).sum::<u64>()
        },
    )?;
    let total: u64 = sums.iter().sum();
    let share = (total / (workers.count() as u64 * LANES_PER_WORKER)).max(grain.lane_from);
    // Cost of each lane, in the order of creation. Lane 0 is the first lane that small components
    // share.
    let (mut costs, mut open, mut largest) = (vec![0], 0, 0);
    for total in &totals {
        let cost = total.load(Ordering::Relaxed);
        if cost == 0 {
            continue;
        }
        largest = largest.max(cost);
        let lane = if cost > share / 2 {
            costs.push(cost);
            costs.len() - 1
        } else {
            if costs[open] + cost > share {
                costs.push(0);
                open = costs.len() - 1;
            }
            costs[open] += cost;
            open
        };
        total.store(lane as u64, Ordering::Relaxed);
    }
    // Sort the most expensive lane first. Equal lanes keep their order, so that every run is the
    // same.
    let mut made: Vec<usize> = (0..costs.len()).filter(|lane| costs[*lane] > 0).collect();
    made.sort_by_key(|lane| std::cmp::Reverse(costs[*lane]));
    let mut numbers = vec![0; costs.len()];
    for (number, lane) in (0..).zip(&made) {
        numbers[*lane] = number;
    }
    let parts = workers.map(
        chunks.len(),
        || (),
        |(), at| {
            let Chunk { first, costs, .. } = &chunks[at];
            let lane_of = |tx| {
                let lane = totals[sets.root(tx) as usize].load(Ordering::Relaxed);
                usize::try_from(lane).expect("invariant: every component has a lane")
            };
            let lanes = (*first..).take(costs.len()).map(|tx| numbers[lane_of(tx)]);
            lanes.collect::<Vec<LaneNumber>>()
        },
    )?;
    let costs = made.into_iter().map(|lane| costs[lane]).collect();
    Ok((costs, parts.concat(), largest))
}

/// Keys expected to change, each with its number.
fn writes<K>(keys: &[ExpectedAccess<K>], base: u32) -> impl Iterator<Item = (&K, u32)> + Clone {
    let keys = keys.iter().zip(base..);
    keys.filter(|(key, _)| key.access == Access::Write).map(|(key, number)| (&key.key, number))
}

/// Keys expected to be read only.
fn reads<K>(keys: &[ExpectedAccess<K>]) -> impl Iterator<Item = &ExpectedAccess<K>> {
    keys.iter().filter(|key| key.access == Access::Read)
}

fn account(chunks: &[Chunk], number: u32) -> &ExpectedAccess<Address> {
    let (chunk, at) = split(number);
    &chunks[chunk].accounts[at]
}

fn slot(chunks: &[Chunk], number: u32) -> &ExpectedAccess<(Address, U256)> {
    let (chunk, at) = split(number);
    &chunks[chunk].slots[at]
}

fn split(number: u32) -> (usize, usize) {
    let at = number & ((1 << CHUNK_KEYS_LOG2) - 1);
    ((number >> CHUNK_KEYS_LOG2) as usize, at as usize)
}

fn count(count: usize) -> u32 {
    u32::try_from(count).expect("invariant: a slice has fewer than 2^32 transactions")
}
