//! Which transactions may depend on each other, and lanes made of that.
//!
//! Two transactions belong together if both may change a key, or one may change what the other looks at. Whatever is
//! connected in this way is one component and runs in one lane, in order. A component too large to share a lane has its
//! own; the others fill lanes by the place of their first transaction.

use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::{Address, U256};

use super::{
    Grain,
    predict::Chunk,
    union::Union,
    workers::{Panicked, Workers},
    writers::Writers,
};
use crate::included::LaneNumber;

/// A slice cut into lanes.
#[derive(Debug)]
pub(crate) struct Partition {
    /// The lanes' expected costs, the most expensive first.
    pub(crate) lanes: Vec<u64>,
    /// The lane of each transaction.
    pub(crate) lane_of: Vec<LaneNumber>,
    /// The expected cost of the most expensive component.
    largest: u64,
    accounts: Writers,
    slots: Writers,
}

/// Keys of a chunk, at most: a key's number holds its place in its chunk in so many bits.
const CHUNK_KEYS_LOG2: u32 = 16;

/// Lanes that a slice is cut into for each worker, if it can be: so many that what a wrong prediction costs is little,
/// so few that a lane's beginning and end do not count.
const LANES_PER_WORKER: u64 = 16;

/// A component's total is below this, or the number of its own lane above it.
const OWN_LANE: u64 = 1 << 63;

impl Partition {
    /// Cuts the transactions of chunks into lanes.
    pub(crate) fn new(workers: &Workers, chunks: &[Chunk], grain: Grain) -> Result<Self, Panicked> {
        let keys = |of: fn(&Chunk) -> usize| chunks.iter().map(of).sum();
        let accounts = Writers::new(keys(|chunk| chunk.accounts.len()));
        let slots = Writers::new(keys(|chunk| chunk.slots.len()));
        let len = chunks.last().map_or(0, |last| last.first + count(last.costs.len()));
        let union = Union::new(len);
        workers.map(
            chunks.len(),
            || (),
            |(), at| {
                let base = count(at) << CHUNK_KEYS_LOG2;
                let of = |number| account(chunks, number);
                accounts.note(
                    numbered(&chunks[at].accounts, base),
                    |n| &of(n).0,
                    |new, known| {
                        union.join(of(new).1, of(known).1);
                    },
                );
                let of = |number| slot(chunks, number);
                slots.note(
                    numbered(&chunks[at].slots, base),
                    |n| &of(n).0,
                    |new, known| {
                        union.join(of(new).1, of(known).1);
                    },
                );
            },
        )?;
        let reads = |chunk: &Chunk| chunk.accounts_read.len() + chunk.slots_read.len();
        if keys(reads) > 0 {
            workers.map(
                chunks.len(),
                || (),
                |(), at| {
                    for (key, tx) in &chunks[at].accounts_read {
                        if let Some(writer) =
                            accounts.find(key, |number| &account(chunks, number).0)
                        {
                            union.join(*tx, account(chunks, writer).1);
                        }
                    }
                    for (key, tx) in &chunks[at].slots_read {
                        if let Some(writer) = slots.find(key, |number| &slot(chunks, number).0) {
                            union.join(*tx, slot(chunks, writer).1);
                        }
                    }
                },
            )?;
        }
        let (lanes, lane_of, largest) = lanes(workers, chunks, &union, grain)?;
        Ok(Self { lanes, lane_of, largest, accounts, slots })
    }

    /// How many times as fast as in one lane the transactions can be on so many workers, at best.
    pub(crate) fn gain(&self, workers: usize) -> f64 {
        let total = self.lanes.iter().sum::<u64>() as f64;
        total / (total / workers as f64).max(self.largest as f64).max(1.0)
    }

    /// The lane whose transactions were expected to change an account, if there is one.
    pub(crate) fn writer_of_account(&self, chunks: &[Chunk], key: &Address) -> Option<LaneNumber> {
        let number = self.accounts.find(key, |number| &account(chunks, number).0)?;
        Some(self.lane_of[account(chunks, number).1 as usize])
    }

    /// The lane whose transactions were expected to change a slot, if there is one.
    pub(crate) fn writer_of_slot(
        &self,
        chunks: &[Chunk],
        key: &(Address, U256),
    ) -> Option<LaneNumber> {
        let number = self.slots.find(key, |number| &slot(chunks, number).0)?;
        Some(self.lane_of[slot(chunks, number).1 as usize])
    }
}

/// Lanes' costs, the lane of each transaction, and the cost of the most expensive component.
fn lanes(
    workers: &Workers,
    chunks: &[Chunk],
    union: &Union,
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
                totals[union.root(tx) as usize].fetch_add(u64::from(*cost), Ordering::Relaxed);
            }
            costs.iter().map(|cost| u64::from(*cost)).sum::<u64>()
        },
    )?;
    let total: u64 = sums.iter().sum();
    let share = (total / (workers.count() as u64 * LANES_PER_WORKER)).max(grain.lane_from);
    let mut own: Vec<(u64, u32)> = Vec::new();
    let mut shared: Vec<(u64, Vec<usize>)> = Vec::new();
    let mut open = (0, Vec::new());
    let mut largest = 0;
    for (at, Chunk { first, costs, .. }) in chunks.iter().enumerate() {
        let totals = (*first..).zip(&totals[*first as usize..][..costs.len()]);
        for (root, total) in totals {
            let total = total.load(Ordering::Relaxed);
            largest = largest.max(total);
            if total > share / 2 {
                own.push((total, root));
            } else {
                open.0 += total;
            }
        }
        open.1.push(at);
        if open.0 >= share || at + 1 == chunks.len() {
            shared.push(std::mem::take(&mut open));
        }
    }
    // The most expensive first; of equals the earliest, so that lanes are the same in every run.
    enum Of {
        Component(u32),
        Chunks(Vec<usize>),
    }
    let own = own.into_iter().map(|(cost, root)| (cost, Of::Component(root)));
    let shared = shared.into_iter().filter(|(cost, _)| *cost > 0);
    let shared = shared.map(|(cost, chunks)| (cost, Of::Chunks(chunks)));
    let mut all: Vec<(u64, Of)> = own.chain(shared).collect();
    all.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
    let mut lane_of_chunk = vec![0; chunks.len()];
    for (number, (_, of)) in (0..).zip(&all) {
        match of {
            Of::Component(root) => {
                totals[*root as usize].store(OWN_LANE | u64::from(number), Ordering::Relaxed);
            }
            Of::Chunks(chunks) => chunks.iter().for_each(|at| lane_of_chunk[*at] = number),
        }
    }
    let chunk_len = chunks.first().map_or(1, |chunk| chunk.costs.len().max(1));
    let parts = workers.map(
        chunks.len(),
        || (),
        |(), at| {
            let Chunk { first, costs, .. } = &chunks[at];
            let numbers = (*first..).take(costs.len()).map(|tx| {
                let root = union.root(tx) as usize;
                let total = totals[root].load(Ordering::Relaxed);
                if total & OWN_LANE == 0 {
                    lane_of_chunk[root / chunk_len]
                } else {
                    LaneNumber::try_from(total & !OWN_LANE).expect("invariant: it was one")
                }
            });
            numbers.collect::<Vec<LaneNumber>>()
        },
    )?;
    Ok((all.into_iter().map(|(cost, _)| cost).collect(), parts.concat(), largest))
}

fn numbered<K>(keys: &[(K, u32)], base: u32) -> impl Iterator<Item = (&K, u32)> + Clone {
    keys.iter().map(|(key, _)| key).zip(base..)
}

fn account(chunks: &[Chunk], number: u32) -> &(Address, u32) {
    let (chunk, at) = split(number);
    &chunks[chunk].accounts[at]
}

fn slot(chunks: &[Chunk], number: u32) -> &((Address, U256), u32) {
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
