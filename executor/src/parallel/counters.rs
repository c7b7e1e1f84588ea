//! Counters of an engine since its creation.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::report::SliceReport;
use crate::profile::ProfileCounters;

/// Counters of an engine since its creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineCounters {
    /// Executed slices.
    pub slices: u64,
    /// Transactions in these slices.
    pub transactions: u64,
    /// Transactions that ran in lanes. The others ran sequentially.
    pub in_lanes: u64,
    /// Lanes.
    pub lanes: u64,
    /// Lanes that executed again because they conflicted. JSON calls it `escapes`.
    #[serde(rename = "escapes")]
    pub conflicts: u64,
    /// Function profiles held now. Each set of contracts in the calldata counts separately.
    pub functions: u64,
    /// Profiles evicted to make room.
    pub evictions: u64,
    /// Transactions whose accesses were predicted from profiles.
    pub predicted: u64,
    /// Transactions without a usable profile.
    pub unknown: u64,
    /// Transactions that ran speculatively, before their turn.
    pub speculated: u64,
    /// Speculative runs whose outcome was used.
    pub reused: u64,
    /// Transactions that accessed unexpected keys and so caused a conflict.
    pub misses: u64,
    /// Waves that ran again sequentially because a worker panicked.
    pub panics: u64,
    /// Waves that ran again sequentially because a transaction accessed an account that all others
    /// pay fees to.
    pub fee_readers: u64,
    /// Waves that ran again sequentially because their lanes still conflicted after the last round.
    pub out_of_rounds: u64,
    /// Waves that ran again sequentially because a lane failed.
    pub lane_errors: u64,
    /// Blocks that shadow mode executed in both ways.
    pub shadowed: u64,
    /// Shadow blocks whose outcomes differed. Each one is a bug.
    pub mismatches: u64,
}

/// Why a wave must run sequentially.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    /// A worker panicked.
    Panic,
    /// A lane's outcome depends on the order of transactions in other lanes.
    Order,
    /// Lanes still conflicted after the last round.
    Rounds,
    /// A lane failed.
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

    /// Counts a wave of `transactions` that must run sequentially.
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

    /// Copies the counters that profiles keep.
    pub(super) fn note_profiles(&self, profiles: ProfileCounters) {
        self.functions.store(profiles.functions as u64, Ordering::Relaxed);
        self.evictions.store(profiles.evictions, Ordering::Relaxed);
    }

    /// Counts a block that shadow mode executed in both ways.
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
