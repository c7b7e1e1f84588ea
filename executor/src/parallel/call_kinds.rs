//! Unknown transactions, grouped by the kind of call they make.

use alloy_primitives::{
    Address,
    map::{DefaultHashBuilder, HashMap},
};

use super::speculation::Speculation;
use crate::{
    BlockTransaction,
    profile::{Call, StateKey},
};

/// Number of transactions of each kind that run speculatively, to learn about the others.
const SAMPLES: usize = 4;

/// Transactions without a usable profile, by the kind of their call.
#[derive(Debug, Default)]
pub(super) struct CallKinds {
    kinds: HashMap<u64, CallKind>,
    kind_of: HashMap<u32, u64>,
}

#[derive(Debug, Default)]
struct CallKind {
    /// The first few transactions.
    samples: Vec<u32>,
    /// Keys that each sample changed, without the sender's account.
    guard: Vec<StateKey>,
}

impl CallKinds {
    pub(super) fn new<T: BlockTransaction>(
        transactions: &[T],
        unknown: impl Iterator<Item = u32>,
        has_code: impl Fn(&Address) -> bool,
    ) -> Self {
        let hasher = DefaultHashBuilder::default();
        let mut all = Self::default();
        for tx in unknown {
            let Some(call) = Call::of(&transactions[tx as usize]) else { continue };
            let kind = call.kind(&hasher, &has_code);
            let CallKind { samples, .. } = all.kinds.entry(kind).or_default();
            if samples.len() < SAMPLES {
                samples.push(tx);
            }
            all.kind_of.insert(tx, kind);
        }
        all
    }

    /// The transactions to run speculatively.
    pub(super) fn samples(&self) -> Vec<u32> {
        let mut all: Vec<u32> =
            self.kinds.values().flat_map(|kind| kind.samples.iter().copied()).collect();
        // Sorted, so that every run is the same.
        all.sort_unstable();
        all
    }

    /// Finds the keys that all samples of a kind changed.
    pub(super) fn find_guards<'s>(&mut self, speculation: impl Fn(u32) -> Option<&'s Speculation>) {
        for CallKind { samples, guard } in
            self.kinds.values_mut().filter(|kind| kind.samples.len() > 1)
        {
            let written = |tx: &u32| -> Vec<StateKey> {
                let touches = speculation(*tx).into_iter().flat_map(|run| run.state.touches());
                let mut keys: Vec<StateKey> =
                    touches.filter(|touch| touch.written).map(|touch| touch.key).collect();
                keys.sort_unstable();
                keys
            };
            let [first, others @ ..] = samples.as_slice() else { continue };
            *guard = written(first);
            for other in others {
                let written = written(other);
                guard.retain(|key| written.binary_search(key).is_ok());
            }
            guard.truncate(GUARD_KEYS_MAX);
        }
    }

    /// Keys that a transaction of this kind always changes. Empty if they are not known.
    pub(super) fn guard(&self, tx: u32) -> &[StateKey] {
        let kind = self.kind_of.get(&tx).and_then(|kind| self.kinds.get(kind));
        kind.map_or(&[], |kind| &kind.guard)
    }
}

/// Maximum number of guard keys per kind.
const GUARD_KEYS_MAX: usize = 8;
