//! Profiles: predicts which accounts and slots a call will access, from earlier calls of the same
//! function.
//!
//! A mapping keeps a key's value in the slot `keccak256(key ++ position)`. All calls of one
//! function take their keys from the same places: the caller, or a word of the calldata. Their
//! other accesses are equal as long as their calldata names the same contracts, because contracts
//! decide which code runs.
//!
//! ```text
//! run ─► Touch*, HashedInput* ─► explain ─► Lessons ─► Forecast ─► Predictions ─► lanes, caches
//!                                        (a few runs)     └── of a Variant of a Function
//! ```
//!
//! # Invariants
//!
//! A prediction decides which transactions run beside each other and what is prefetched. A wrong
//! prediction costs time and never changes a result, so profiles are not trusted.
//!
//! # Limits
//!
//! At most `FUNCTIONS_MAX` variants are kept. The clock algorithm evicts others.

mod call;
mod contracts;
mod explain;
mod forecast;
mod lessons;
mod predictions;
mod ring;
mod rule;
mod variant;
mod variants;

#[cfg(test)]
mod tests;

use core::sync::atomic::{AtomicU32, Ordering};

use alloy_primitives::{Address, U256, map::HashMap};

pub(crate) use self::{call::Call, predictions::Predictions};
use self::{
    call::Function,
    contracts::{Contracts, Words},
    lessons::LEARNING_RUNS,
    ring::{EvictionRing, VariantKey},
    variants::Variants,
};
use crate::keccak::INPUT_BYTES;

/// Maximum number of variants kept. A variant that is being learned takes at most 30 KiB.
const FUNCTIONS_MAX: usize = 4_096;

/// When all variants are taken, one of this many calls is learned.
const LEARNED_PART: u32 = 8;

/// Identifies an account or a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StateKey {
    pub(crate) address: Address,
    /// `None` for the account itself: nonce, balance, code.
    pub(crate) slot: Option<U256>,
}

/// A key that a run accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Touch {
    pub(crate) key: StateKey,
    pub(crate) written: bool,
}

/// How a key is accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    Read,
    Write,
}

/// A computed hash: the contract that hashed, and the input.
pub(crate) type HashedInput = (Address, [u8; INPUT_BYTES]);

/// The accesses of a successful run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObservedRun<'a> {
    pub(crate) touches: &'a [Touch],
    pub(crate) seen: &'a [HashedInput],
    pub(crate) gas_used: u64,
}

/// Profiles of functions. See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    functions: HashMap<Function, Variants>,
    ring: EvictionRing,
    counts: ProfileCounters,
    /// Number of calls considered for learning since all variants were taken.
    asked: AtomicU32,
}

/// Counters of profiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProfileCounters {
    /// Variants kept.
    pub(crate) functions: usize,
    /// Variants evicted.
    pub(crate) evictions: u64,
    /// Runs learned from.
    pub(crate) learned: u64,
    /// Predictions reported as wrong.
    pub(crate) misses: u64,
}

impl Profiles {
    /// Whether to learn from this call's run.
    pub(crate) fn should_learn(&self, call: Call<'_>, has_code: impl Fn(&Address) -> bool) -> bool {
        self.is_new(call, has_code) && self.may_learn_now()
    }

    /// Whether too little is known about a call.
    fn is_new(&self, call: Call<'_>, has_code: impl Fn(&Address) -> bool) -> bool {
        LEARNING_RUNS > 0
            && match self.functions.get(&call.function()) {
                Some(variants) => variants.should_learn(&call, has_code),
                None => has_code(&call.to),
            }
    }

    /// Whether learning pays off now. When all variants are taken, a new variant is soon evicted,
    /// so only some calls are learned.
    fn may_learn_now(&self) -> bool {
        let is_full = self.ring.len() >= FUNCTIONS_MAX;
        !is_full || self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(LEARNED_PART)
    }

    /// Learns from a run for which [`Self::should_learn`] returned true.
    pub(crate) fn learn(
        &mut self,
        call: Call<'_>,
        observed: &ObservedRun<'_>,
        has_code: impl Fn(&Address) -> bool,
    ) {
        if !self.is_new(call, &has_code) {
            return;
        }
        self.counts.learned += 1;
        let function = call.function();
        let contracts = Contracts::at(Words::ALL, &call, has_code);
        let variants = self.functions.entry(function).or_default();
        let Some(contracts) = variants.learn(&call, &contracts, observed) else { return };
        let place = VariantKey { function, contracts: contracts.as_slice().into() };
        let functions = &mut self.functions;
        let evicted = self.ring.admit(place, FUNCTIONS_MAX, |place| {
            let variants = functions.get_mut(&place.function);
            let variant = variants.and_then(|variants| variants.get_mut(&place.contracts));
            variant.is_some_and(|variant| variant.take_asked())
        });
        if let Some(VariantKey { function, contracts }) = evicted
            && let Some(variants) = functions.get_mut(&function)
        {
            self.counts.evictions += 1;
            variants.remove(&contracts);
            if variants.is_empty() {
                functions.remove(&function);
            }
        }
    }

    /// Reports that a wrong prediction of this call caused a conflict. The variant is learned
    /// again. After repeated misses it makes no predictions for a while.
    pub(crate) fn miss(&mut self, call: Call<'_>, has_code: impl Fn(&Address) -> bool) {
        self.counts.misses += 1;
        if let Some(variants) = self.functions.get_mut(&call.function()) {
            variants.miss(&Contracts::at(Words::ALL, &call, has_code));
        }
    }

    /// Appends predictions for these calls, each with its transaction's number. Hashes are computed
    /// together in SIMD lanes.
    pub(crate) fn predict<'a>(
        &self,
        calls: impl Iterator<Item = (u32, Call<'a>)>,
        has_code: impl Fn(&Address) -> bool,
        out: &mut Predictions,
    ) {
        for (tx, call) in calls {
            let variants = self.functions.get(&call.function());
            match variants.and_then(|variants| variants.ask(&call, &has_code)) {
                Some(forecast) => out.add(tx, &call, forecast),
                None => out.unknown.push(tx),
            }
        }
        out.hash();
    }

    pub(crate) fn counters(&self) -> ProfileCounters {
        ProfileCounters { functions: self.ring.len(), ..self.counts }
    }
}
