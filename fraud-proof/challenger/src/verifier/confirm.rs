//! Confirms with the reference executor what the parallel engine derived, before anything is staked
//! on it.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use tracing::{error, info};
use turnpike_executor::Mode;
use turnpike_l1::ProposedOutput;

use super::Verifier;

/// An entry for which the parallel engine computed another output root than the reference executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineFault {
    /// The inbox entry.
    pub entry: u64,
    /// The parallel engine's output root after the entry.
    pub parallel: B256,
    /// The reference executor's output root after the entry, which counts.
    pub sequential: B256,
}

/// Which entries the reference executor has to confirm, and which it has confirmed.
#[derive(Debug, Default)]
pub(super) struct Confirmations {
    /// Accumulator and parallel output root of each entry to confirm.
    before: BTreeMap<u64, (B256, B256)>,
    /// Accumulator and output root of each confirmed entry: none is confirmed twice.
    confirmed: BTreeMap<u64, (B256, B256)>,
    fault: Option<EngineFault>,
}

impl Confirmations {
    /// The mode that an entry's blocks have to run in. After a fault the parallel engine is not
    /// used any more.
    pub(super) fn mode_for(&self, entry: u64, usual: Mode) -> Mode {
        if self.fault.is_some() || self.before.contains_key(&entry) {
            Mode::Sequential
        } else {
            usual
        }
    }

    /// Whether the reference executor has computed this output root of the entry, now or before.
    pub(super) fn is_confirmed(&mut self, entry: u64, acc: B256, root: B256, mode: Mode) -> bool {
        if is_reference(mode) {
            self.confirmed.insert(entry, (acc, root));
        }
        self.confirmed.get(&entry) == Some(&(acc, root))
    }

    /// Compares a confirmed entry with the parallel result.
    pub(super) fn compare(&mut self, entry: u64, acc: B256, sequential: B256) {
        let Some((acc_before, parallel)) = self.before.remove(&entry) else { return };
        // After an L1 reorg it is another entry.
        if acc_before != acc || parallel == sequential || self.fault.is_some() {
            return;
        }
        error!(entry, %parallel, %sequential, "parallel engine disagrees with the reference executor, disabling it");
        self.fault = Some(EngineFault { entry, parallel, sequential });
    }
}

impl Verifier {
    /// Whether the reference executor has confirmed the entries that the verdict on `output`
    /// depends on. Challenge or defend it only then. If not, rewinds to the output's last right
    /// ancestor: the reference executor derives the entries when they are fed again, and `output`
    /// and all outputs of later entries have to be judged again.
    pub fn confirm(&mut self, output: &ProposedOutput, outputs: &[ProposedOutput]) -> bool {
        let first = self.true_entry(output, outputs).map_or(1, |(entry, _)| entry + 1);
        let unconfirmed =
            |entry: &u64| self.entry(*entry).is_none_or(|derived| !derived.is_confirmed);
        let Some(first) = (first..=output.entry).find(unconfirmed) else { return true };
        info!(output = output.index, entry = first, "deriving again with the reference executor");
        self.derive_again(first);
        false
    }

    /// The parallel engine's first fault. Since then the reference executor derives everything.
    pub const fn engine_fault(&self) -> Option<&EngineFault> {
        self.confirmations.fault.as_ref()
    }

    /// Rewinds to entry `first`, for the reference executor to derive again.
    fn derive_again(&mut self, first: u64) {
        for index in first..self.next_entry() {
            let entry = self.follower.derivation().entry(index);
            let derived = entry.zip(self.entry(index));
            if let Some((entry, derived)) = derived {
                self.confirmations.before.insert(index, (entry.posted.acc, derived.output.hash()));
            }
        }
        self.rewind(first);
    }
}

/// Whether the outcome is the reference executor's.
const fn is_reference(mode: Mode) -> bool {
    matches!(mode, Mode::Sequential | Mode::Shadow)
}
