use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::report::SliceReport;
use crate::profile::ProfileCounters;

/// What happened in an engine since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineCounters {
    /// Slices that ran.
    pub slices: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Transactions that ran in lanes; the others ran one after the other.
    pub in_lanes: u64,
    /// Lanes.
    pub lanes: u64,
    /// Lanes that ran again because they touched what another one changed.
    #[serde(rename = "escapes")]
    pub conflicts: u64,
    /// Functions of which profiles are held now, those of a router for each set of tokens apart.
    pub functions: u64,
    /// Profiles that were given up for others.
    pub evictions: u64,
    /// Transactions whose accesses were told from profiles of what they call.
    pub predicted: u64,
    /// Transactions of which too little was known to tell.
    pub unknown: u64,
    /// Transactions that ran by themselves first, on the state before their turn.
    pub speculated: u64,
    /// Those of them of which that was what came of them.
    pub reused: u64,
    /// Transactions that touched what nobody expected and so made lanes run again.
    pub misses: u64,
    /// Waves that ran again in order because a worker panicked.
    pub panics: u64,
    /// Waves that ran again in order because a transaction looked at what all others pay fees to.
    pub fee_readers: u64,
    /// Waves that ran again in order because their lanes kept touching each other.
    pub out_of_rounds: u64,
    /// Waves that ran again in order because a lane could not go on.
    pub lane_errors: u64,
    /// Blocks that ran both ways, in shadow mode.
    pub shadowed: u64,
    /// Those of them that came out differently: a bug.
    pub mismatches: u64,
}

/// Why a wave has to run in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    /// A worker panicked.
    Panic,
    /// What a lane did depends on the order of transactions elsewhere.
    Order,
    /// Lanes kept touching each other.
    Rounds,
    /// A lane could not go on.
    Error,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    slices: AtomicU64,
    transactions: AtomicU64,
    in_lanes: AtomicU64,
    lanes: AtomicU64,
    conflicts: AtomicU64,
    functions: AtomicU64,
    evictions: AtomicU64,
    predicted: AtomicU64,
    unknown: AtomicU64,
    speculated: AtomicU64,
    reused: AtomicU64,
    misses: AtomicU64,
    panics: AtomicU64,
    fee_readers: AtomicU64,
    out_of_rounds: AtomicU64,
    lane_errors: AtomicU64,
    shadowed: AtomicU64,
    mismatches: AtomicU64,
}

impl Counters {
    pub(super) fn count_slice(&self, report: &SliceReport) {
        add(&self.slices, 1);
        add(&self.transactions, report.transactions);
        add(&self.in_lanes, report.in_lanes);
        add(&self.lanes, report.lanes.len());
        add(&self.conflicts, report.conflicts);
        add(&self.misses, report.misses);
        add(&self.reused, report.reused);
        add(&self.speculated, report.speculated);
        add(&self.unknown, report.unknown);
        add(&self.predicted, report.predicted);
    }

    pub(super) fn count_panic(&self) {
        self.count_fallback(Fallback::Panic, 0);
    }

    /// A wave of so many transactions has to run in order.
    pub(super) fn count_fallback(&self, reason: Fallback, transactions: usize) {
        add(
            match reason {
                Fallback::Panic => &self.panics,
                Fallback::Order => &self.fee_readers,
                Fallback::Rounds => &self.out_of_rounds,
                Fallback::Error => &self.lane_errors,
            },
            1,
        );
        if reason == Fallback::Panic {
            tracing::error!(transactions, "worker panicked, executing the wave sequentially");
        } else {
            tracing::debug!(?reason, transactions, "executing the wave sequentially");
        }
    }

    /// Takes over what profiles count themselves.
    pub(super) fn note_profiles(&self, profiles: ProfileCounters) {
        self.functions.store(profiles.functions as u64, Ordering::Relaxed);
        self.evictions.store(profiles.evictions, Ordering::Relaxed);
    }

    /// A block ran both ways.
    pub(super) fn count_shadow(&self, is_same: bool) {
        add(&self.shadowed, 1);
        if !is_same {
            add(&self.mismatches, 1);
            tracing::error!("parallel outcome differs, keeping the reference outcome");
        }
    }

    pub(super) fn read(&self) -> EngineCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        EngineCounters {
            slices: read(&self.slices),
            transactions: read(&self.transactions),
            in_lanes: read(&self.in_lanes),
            lanes: read(&self.lanes),
            conflicts: read(&self.conflicts),
            functions: read(&self.functions),
            evictions: read(&self.evictions),
            predicted: read(&self.predicted),
            unknown: read(&self.unknown),
            speculated: read(&self.speculated),
            reused: read(&self.reused),
            misses: read(&self.misses),
            panics: read(&self.panics),
            fee_readers: read(&self.fee_readers),
            out_of_rounds: read(&self.out_of_rounds),
            lane_errors: read(&self.lane_errors),
            shadowed: read(&self.shadowed),
            mismatches: read(&self.mismatches),
        }
    }
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}
