//! Which transactions may depend on each other, and lanes made of that.
//!
//! Two transactions belong together if both may change a key, or one may change what the other looks at. Whatever is
//! connected in this way is one component and runs in one lane, in order. A component too large to share a lane has its
//! own; the others fill lanes as they begin.

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

/// A slice cut into lanes.
#[derive(Debug)]
pub(crate) struct Partition {
    /// The lanes' expected costs, the most expensive first.
    pub(crate) lanes: Vec<u64>,
    /// The lane of each transaction.
    pub(crate) lane_of: Vec<LaneNumber>,
    /// The expected cost of the most expensive component.
    largest: u64,
    accounts: WriterIndex,
    slots: WriterIndex,
}

/// Chunks of a wave, at most: one less than there are numbers for, so that no key's number has all bits set.
pub(crate) const CHUNKS_MAX: usize = (1 << (u32::BITS - CHUNK_KEYS_LOG2)) - 1;

/// Lanes that a slice is cut into for each worker, if it can be: so many that what a wrong prediction costs is little,
/// so few that a lane's beginning and end do not count.
const LANES_PER_WORKER: u64 = 16;

impl Partition {
    /// Cuts the transactions of chunks into lanes.
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

    /// The time that so many workers take for the transactions, at best, as a part of what one takes.
    pub(crate) fn time(&self, workers: usize) -> f64 {
        let total = self.lanes.iter().sum::<u64>().max(1) as f64;
        (self.largest as f64 / total).max(1.0 / workers as f64)
    }

    /// The lane whose transactions were expected to change an account, if there is one.
    pub(crate) fn writer_of_account(&self, chunks: &[Chunk], key: &Address) -> Option<LaneNumber> {
        let number = self.accounts.find(key, |number| &account(chunks, number).key)?;
        Some(self.lane_of[account(chunks, number).tx as usize])
    }

    /// The lane whose transactions were expected to change a slot, if there is one.
    pub(crate) fn writer_of_slot(
        &self,
        chunks: &[Chunk],
        key: &(Address, U256),
    ) -> Option<LaneNumber> {
        let number = self.slots.find(key, |number| &slot(chunks, number).key)?;
        Some(self.lane_of[slot(chunks, number).tx as usize])
    }
}

/// Lanes' costs, the lane of each transaction, and the cost of the most expensive component.
fn lanes(
    workers: &Workers,
    chunks: &[Chunk],
    sets: &DisjointSets,
    grain: Grain,
) -> Result<(Vec<u64>, Vec<LaneNumber>, u64), Panicked> {
    let len = chunks.last().map_or(0, |last| last.first as usize + last.costs.len());
    // Of each component, at its root.
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
    // Costs of lanes, in the order in which they are made. The one that is open to further components comes first.
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
    // The most expensive first; of equals the first made, so that lanes are the same in every run.
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
                usize::try_from(lane).expect("invariant: it is one of the lanes")
            };
            let lanes = (*first..).take(costs.len()).map(|tx| numbers[lane_of(tx)]);
            lanes.collect::<Vec<LaneNumber>>()
        },
    )?;
    let costs = made.into_iter().map(|lane| costs[lane]).collect();
    Ok((costs, parts.concat(), largest))
}

/// The keys that are going to change, each with its number.
fn writes<K>(keys: &[ExpectedAccess<K>], base: u32) -> impl Iterator<Item = (&K, u32)> + Clone {
    let keys = keys.iter().zip(base..);
    keys.filter(|(key, _)| key.access == Access::Write).map(|(key, number)| (&key.key, number))
}

/// The keys that are only looked at.
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
