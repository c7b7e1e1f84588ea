use std::{collections::BTreeSet, iter};

use turnpike_protocol::Oracle;
use turnpike_vm::{Machine, MissingPreimage, Op};

/// A sample has this part of its size of every instruction.
const RARE_PART: u64 = 16;
/// But not fewer.
const RARE_MIN: u64 = 16;

/// Chooses steps of a machine that is at its first: `size` of them spread evenly, some of every instruction, and the
/// last. The machine is then at its end, or at `max_steps`.
pub(crate) fn choose(
    machine: &mut Machine,
    oracle: &mut impl Oracle,
    max_steps: u64,
    size: u64,
    seed: u64,
) -> Result<BTreeSet<u64>, MissingPreimage> {
    let mut random = Random(seed);
    let rare = usize::try_from((size / RARE_PART).max(RARE_MIN)).unwrap_or(usize::MAX);
    let mut kinds: Vec<Reservoir> =
        iter::repeat_with(Reservoir::default).take(Op::ALL.len()).collect();
    while machine.exit().is_none() && machine.steps() < max_steps {
        if let Ok(instruction) = machine.instruction() {
            kinds[instruction.op as usize].offer(machine.steps(), rare, &mut random);
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

/// Some steps out of however many are offered, each as likely.
#[derive(Default)]
struct Reservoir {
    steps: Vec<u64>,
    offered: u64,
}

impl Reservoir {
    fn offer(&mut self, step: u64, capacity: usize, random: &mut Random) {
        self.offered += 1;
        if self.steps.len() < capacity {
            self.steps.push(step);
            return;
        }
        let at = usize::try_from(random.below(self.offered)).ok();
        if let Some(kept) = at.and_then(|at| self.steps.get_mut(at)) {
            *kept = step;
        }
    }
}

/// Random numbers that a seed decides (`SplitMix64`).
struct Random(u64);

impl Random {
    const fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
