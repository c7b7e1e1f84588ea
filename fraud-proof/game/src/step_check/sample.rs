//! Chooses the steps of a run that are compared with L1.

use std::{collections::BTreeSet, iter};

use rand_xoshiro::{
    SplitMix64,
    rand_core::{RngCore as _, SeedableRng as _},
};
use turnpike_protocol::Oracle;
use turnpike_vm::{Machine, MissingPreimage, Op};

/// A sample of size `n` holds up to `n / RARE_PART` steps of every instruction,
const RARE_PART: u64 = 16;
/// but at least this many if the run has them.
const RARE_MIN: u64 = 16;

/// Chooses steps of a machine before its first step: `size` of them spread evenly, some of every
/// instruction, and the last. The machine is then at its end or at `max_steps`.
pub(super) fn choose(
    machine: &mut Machine,
    oracle: &mut impl Oracle,
    max_steps: u64,
    size: u64,
    seed: u64,
) -> Result<BTreeSet<u64>, MissingPreimage> {
    let mut random = Random(SplitMix64::seed_from_u64(seed));
    let rare = usize::try_from((size / RARE_PART).max(RARE_MIN)).unwrap_or(usize::MAX);
    let mut kinds: Vec<Reservoir> =
        iter::repeat_with(Reservoir::default).take(Op::ALL.len()).collect();
    while machine.exit().is_none() && machine.steps() < max_steps {
        if let Ok(instruction) = machine.instruction() {
            kinds[instruction.op as usize].add(machine.steps(), rare, &mut random);
        }
        machine.step(oracle)?;
    }
    let steps = machine.steps();
    let part = |index: u64| u128::from(index) * u128::from(steps) / u128::from(size);
    let parts = (0..size.min(steps)).filter_map(|index| {
        let [from, to] = [index, index + 1].map(|index| u64::try_from(part(index)).ok());
        Some((from?, to?))
    });
    let evenly =
        parts.filter(|(from, to)| from < to).map(|(from, to)| from + random.below(to - from));
    let mut chosen: BTreeSet<u64> = evenly.collect();
    chosen.extend(kinds.into_iter().flat_map(|kind| kind.steps));
    chosen.extend(steps.checked_sub(1));
    Ok(chosen)
}

/// A uniform sample of the steps that are added to it.
#[derive(Default)]
struct Reservoir {
    steps: Vec<u64>,
    added: u64,
}

impl Reservoir {
    fn add(&mut self, step: u64, capacity: usize, random: &mut Random) {
        self.added += 1;
        if self.steps.len() < capacity {
            self.steps.push(step);
            return;
        }
        let at = usize::try_from(random.below(self.added)).ok();
        if let Some(kept) = at.and_then(|at| self.steps.get_mut(at)) {
            *kept = step;
        }
    }
}

/// Seeded random numbers (`SplitMix64`). The seed is part of the command's interface, so the
/// sequence stays.
struct Random(SplitMix64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }
}
