use std::collections::BTreeMap;

use alloy_primitives::B256;
use tracing::{error, info};
use turnpike_executor::Mode;
use turnpike_l1::ProposedOutput;

use super::Verifier;

/// A block range for which the parallel engine came to another output root than the sequential one, the oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineFault {
    /// The inbox entry.
    pub entry: u64,
    /// The output root after it in parallel.
    pub parallel: B256,
    /// The output root after it in order: what counts.
    pub sequential: B256,
}

/// What the oracle is to derive again.
#[derive(Debug, Default)]
pub(super) struct Recheck {
    /// Accumulators, and output roots in parallel, by entry.
    before: BTreeMap<u64, (B256, B256)>,
    /// What the oracle came to: the same, by entry. It need not say so twice.
    confirmed: BTreeMap<u64, (B256, B256)>,
    fault: Option<EngineFault>,
}

impl Recheck {
    /// How an entry's blocks have to run. Once it was wrong, the parallel engine runs no more.
    pub(super) fn mode_for(&self, entry: u64, usual: Mode) -> Mode {
        if self.fault.is_some() || self.before.contains_key(&entry) {
            Mode::Sequential
        } else {
            usual
        }
    }

    /// Whether the oracle has said, now or before, what an entry came to.
    pub(super) fn is_confirmed(&mut self, entry: u64, acc: B256, root: B256, mode: Mode) -> bool {
        if is_oracle(mode) {
            self.confirmed.insert(entry, (acc, root));
        }
        self.confirmed.get(&entry) == Some(&(acc, root))
    }

    /// Takes in what an entry came to.
    pub(super) fn compare(&mut self, entry: u64, acc: B256, sequential: B256) {
        let Some((acc_before, parallel)) = self.before.remove(&entry) else { return };
        // After a reorganisation of L1 it is another entry.
        if acc_before != acc || parallel == sequential || self.fault.is_some() {
            return;
        }
        error!(entry, %parallel, %sequential, "the parallel engine was wrong: it is no longer used");
        self.fault = Some(EngineFault { entry, parallel, sequential });
    }
}

impl Verifier {
    /// Whether the sequential engine, the oracle, says what the verdict on `output` rests on: nobody should challenge or defend
    /// it before. If not, the entries since the output's last right ancestor are forgotten, and the oracle derives them
    /// when they are fed again; then `output`, and every other with a later entry, has to be judged again.
    pub fn confirm(&mut self, output: &ProposedOutput, outputs: &[ProposedOutput]) -> bool {
        let first = self.true_entry(output, outputs).map_or(1, |(entry, _)| entry + 1);
        let unconfirmed =
            |entry: &u64| self.entry(*entry).is_none_or(|derived| !derived.is_confirmed);
        let Some(first) = (first..=output.entry).find(unconfirmed) else { return true };
        info!(output = output.index, entry = first, "deriving again by the sequential engine");
        self.recheck(first);
        false
    }

    /// Where the parallel engine was found to be wrong, if it was. Then everything is derived by the sequential one.
    pub const fn engine_fault(&self) -> Option<&EngineFault> {
        self.recheck.fault.as_ref()
    }

    /// Forgets the entries from `first` on: the oracle derives them again.
    fn recheck(&mut self, first: u64) {
        for index in first..self.next_entry() {
            let entry = self.follower.derivation().entry(index);
            let derived = entry.zip(self.entry(index));
            if let Some((entry, derived)) = derived {
                self.recheck.before.insert(index, (entry.posted.acc, derived.output.hash()));
            }
        }
        self.rewind(first);
    }
}

/// Whether the outcome is the oracle's.
const fn is_oracle(mode: Mode) -> bool {
    matches!(mode, Mode::Sequential | Mode::Shadow)
}
