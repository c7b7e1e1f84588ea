use std::collections::{BTreeMap, VecDeque};

use turnpike_vm::{Machine, Snapshot};

/// Steps between the first of the even snapshots: a few milliseconds.
const STRIDE_MIN: u64 = 1 << 20;

/// Snapshots in even distances over the whole run, at most.
const EVEN_MAX: usize = 128;

/// Snapshots where something was asked for, at most: what both sides claim of one range.
const ASKED_MAX: usize = 64;

/// What the snapshots of either kind may hold together, in bytes, if they share nothing, which is
/// far from what they do. Of programs that write to much memory there are fewer snapshots.
const BYTES_MAX: u64 = 4 << 30;

/// However much a program writes to, that many there are of either kind.
const SNAPSHOTS_MIN: usize = 8;

/// Where a run can be taken up again: in even distances over all of it, and near what was asked for
/// last.
///
/// Both sides of a game ask for ever smaller ranges, the next within a part of the last. So a
/// snapshot at each state that was asked for is the way to the next ones, and the even ones are the
/// way to a range that was never asked for.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// A power of two, as the positions of a game are multiples of such.
    stride: u64,
    /// By step; the first is at step 0, and each is a stride after the one before.
    even: BTreeMap<u64, Snapshot>,
    /// The oldest first.
    asked: VecDeque<Snapshot>,
}

impl Checkpoints {
    /// With the machine before its first step.
    pub(super) fn new(machine: &mut Machine) -> Self {
        let even = BTreeMap::from([(machine.steps(), machine.snapshot())]);
        Self { stride: STRIDE_MIN, even, asked: VecDeque::new() }
    }

    /// The last one at or before `step`.
    pub(super) fn nearest(&self, step: u64) -> &Snapshot {
        let (_, even) =
            self.even.range(..=step).next_back().expect("invariant: one is at the first step");
        let asked = self.asked.iter().filter(|asked| asked.steps() <= step);
        asked.fold(even, |best, asked| if asked.steps() > best.steps() { asked } else { best })
    }

    /// Where the next of the even ones is due, for a machine at `step`, if it has to pass there.
    pub(super) fn due_after(&self, step: u64) -> Option<u64> {
        let (last, _) = self.even.last_key_value()?;
        let due = last + self.stride;
        (due > step).then_some(due)
    }

    /// Takes an even one if it is due.
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

    /// Takes one where something was asked for.
    pub(super) fn keep(&mut self, machine: &mut Machine) {
        if self.nearest(machine.steps()).steps() == machine.steps() {
            return;
        }
        while self.asked.len() >= fitting(machine, ASKED_MAX) {
            self.asked.pop_front();
        }
        self.asked.push_back(machine.snapshot());
    }
}

/// How many snapshots there may be of what a machine has written to, but no more than `max`.
fn fitting(machine: &Machine, max: usize) -> usize {
    let fit = BYTES_MAX / machine.usage().bytes().max(1);
    usize::try_from(fit).unwrap_or(usize::MAX).clamp(SNAPSHOTS_MIN, max)
}
