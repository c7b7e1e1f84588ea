//! Snapshots of a run. Limits: `EVEN_MAX` and `REQUESTED_MAX` snapshots, and `BYTES_MAX` for each
//! kind.

use std::collections::{BTreeMap, VecDeque};

use turnpike_vm::{Machine, Snapshot};

/// Initial distance between even snapshots in steps, which take a few milliseconds.
const STRIDE_MIN: u64 = 1 << 20;

/// Maximum number of even snapshots.
const EVEN_MAX: usize = 128;

/// Maximum number of snapshots at requested states: enough for both sides' claims about one range.
const REQUESTED_MAX: usize = 64;

/// Maximum bytes of the snapshots of either kind if they shared no pages, although they share most.
/// Programs that write much memory get fewer snapshots.
const BYTES_MAX: u64 = 4 << 30;

/// Minimum number of snapshots of either kind, however much a program writes.
const SNAPSHOTS_MIN: usize = 8;

/// Snapshots to continue a run from: at even distances over the whole run, and at the states
/// requested last.
///
/// Each range that a game asks for lies within the previous one. Snapshots at requested states are
/// near the next requests, and even snapshots are near every other range.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// A power of two, as the positions of a game are multiples of powers of two.
    stride: u64,
    /// Even snapshots by step. The first is at step 0, and each is a stride after the one before.
    even: BTreeMap<u64, Snapshot>,
    /// Snapshots at requested states, the oldest first.
    requested: VecDeque<Snapshot>,
}

impl Checkpoints {
    /// Starts with a snapshot before the machine's first step.
    pub(super) fn new(machine: &mut Machine) -> Self {
        let even = BTreeMap::from([(machine.steps(), machine.snapshot())]);
        Self { stride: STRIDE_MIN, even, requested: VecDeque::new() }
    }

    /// The last snapshot at or before `step`.
    pub(super) fn nearest(&self, step: u64) -> &Snapshot {
        let (_, even) =
            self.even.range(..=step).next_back().expect("invariant: one is at the first step");
        let requested = self.requested.iter().filter(|requested| requested.steps() <= step);
        requested.fold(
            even,
            |best, requested| if requested.steps() > best.steps() { requested } else { best },
        )
    }

    /// The step of the next even snapshot, if a machine at `step` has still to reach it.
    pub(super) fn due_after(&self, step: u64) -> Option<u64> {
        let (last, _) = self.even.last_key_value()?;
        let due = last + self.stride;
        (due > step).then_some(due)
    }

    /// Takes an even snapshot if the machine is at its step.
    pub(super) fn pass(&mut self, machine: &mut Machine) {
        let step = machine.steps();
        if step == 0 || self.due_after(step - 1) != Some(step) {
            return;
        }
        self.even.insert(step, machine.snapshot());
        while self.even.len() > fitting(machine, EVEN_MAX) {
            self.stride *= 2;
            self.even.retain(|step, _| step.is_multiple_of(self.stride));
        }
    }

    /// Takes a snapshot at a requested state.
    pub(super) fn keep(&mut self, machine: &mut Machine) {
        if self.nearest(machine.steps()).steps() == machine.steps() {
            return;
        }
        while self.requested.len() >= fitting(machine, REQUESTED_MAX) {
            self.requested.pop_front();
        }
        self.requested.push_back(machine.snapshot());
    }
}

/// Maximum number of snapshots for the memory that a machine has written, but at most `max`.
fn fitting(machine: &Machine, max: usize) -> usize {
    let fit = BYTES_MAX / machine.usage().bytes().max(1);
    usize::try_from(fit).unwrap_or(usize::MAX).clamp(SNAPSHOTS_MIN, max)
}
