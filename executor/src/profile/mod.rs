//! Which accounts and slots a transaction will touch, as functions of its sender and its calldata, learned from what
//! others like it did.
//!
//! A mapping keeps the value of a key in the slot `keccak256(key ++ position)`. Calls of one function of one contract
//! take their keys from the same places: the caller, or a word of the calldata. What else they touch is the same for
//! all, as long as they have the same contracts in their calldata: contracts decide what code runs, people are keys.
//!
//! ```text
//! run ─► Touch*, Seen* ─► explain ─► Lessons ─► Forecast ─► Predictions ─► lanes, caches
//!                                    (of a few runs)  └── of a Variant of a Function
//! ```
//!
//! A prediction decides what runs beside what and what is fetched beforehand. A wrong one costs time and changes no
//! result, so nothing in here is trusted.

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

/// Variants of functions that are remembered. One that is being learned takes 30 KiB at the very most.
const FUNCTIONS_MAX: usize = 4_096;

/// Of so many calls one is learned from where there is no room.
const LEARNED_PART: u32 = 8;

/// What identifies a piece of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StateKey {
    pub(crate) address: Address,
    /// None for the account itself: nonce, balance, code.
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

/// A hash that was computed: by which contract, and of what.
pub(crate) type HashedInput = (Address, [u8; INPUT_BYTES]);

/// What a run that succeeded did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObservedRun<'a> {
    pub(crate) touches: &'a [Touch],
    pub(crate) seen: &'a [HashedInput],
    pub(crate) gas_used: u64,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    functions: HashMap<Function, Variants>,
    ring: EvictionRing,
    counts: ProfileCounters,
    /// How often it was asked whether something is to be learned, since there is no room.
    asked: AtomicU32,
}

/// What became of profiles so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProfileCounters {
    /// Variants of functions that are held.
    pub(crate) functions: usize,
    /// Variants that were given up for others.
    pub(crate) evictions: u64,
    /// Runs that something was learned from.
    pub(crate) learned: u64,
    /// Predictions that were reported as wrong.
    pub(crate) misses: u64,
}

impl Profiles {
    /// Whether something is to be learned from this call's run.
    pub(crate) fn is_curious(&self, call: Call<'_>, has_code: impl Fn(&Address) -> bool) -> bool {
        self.is_new(call, has_code) && self.has_time()
    }

    /// Whether too little is known of a call.
    fn is_new(&self, call: Call<'_>, has_code: impl Fn(&Address) -> bool) -> bool {
        LEARNING_RUNS > 0
            && match self.functions.get(&call.function()) {
                Some(variants) => variants.is_curious(&call, has_code),
                None => has_code(&call.to),
            }
    }

    /// Whether something may be learned now. Where there is more than can be held, what is learned is soon given up again:
    /// then only some of it is learned at all.
    fn has_time(&self) -> bool {
        let is_full = self.ring.len() >= FUNCTIONS_MAX;
        !is_full || self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(LEARNED_PART)
    }

    /// Learns from what a call did that something is to be learned from.
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

    /// Takes note that what was predicted for this call was wrong and cost something: it is learned anew, and after
    /// repeated misses nothing is predicted for a while.
    pub(crate) fn miss(&mut self, call: Call<'_>, has_code: impl Fn(&Address) -> bool) {
        self.counts.misses += 1;
        if let Some(variants) = self.functions.get_mut(&call.function()) {
            variants.miss(&Contracts::at(Words::ALL, &call, has_code));
        }
    }

    /// Appends what these calls, with the numbers of their transactions, are likely to do. Their hashes are computed
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
