//! Compares the machine's steps with L1's: every step of a range, or a sample of a whole run.

mod report;
mod sample;

use std::{collections::BTreeSet, ops::Range};

use turnpike_protocol::Preimages;
use turnpike_vm::{Machine, MissingPreimage};

use crate::{L1Step, StepDifference};

/// Which steps are compared.
#[derive(Clone, Debug)]
pub enum StepSelection {
    /// Every step of a range.
    All(Range<u64>),
    /// The steps of a sample.
    Sample(BTreeSet<u64>),
}

/// Result of a comparison.
#[derive(Clone, Debug)]
pub struct StepCheck {
    /// Number of steps that were compared.
    pub checked: u64,
    /// The first difference.
    pub difference: Option<Box<StepDifference>>,
}

impl StepSelection {
    /// Samples the run of `machine` up to `max_steps`: `size` steps spread evenly, some of every
    /// instruction, and the last. The machine ends where it started.
    ///
    /// # Errors
    ///
    /// If the preimages lack what the program reads.
    pub fn sample(
        machine: &mut Machine,
        preimages: &mut Preimages,
        max_steps: u64,
        size: u64,
        seed: u64,
    ) -> Result<Self, MissingPreimage> {
        let first = machine.snapshot();
        let steps = sample::choose(machine, preimages, max_steps, size, seed)?;
        machine.restore(&first);
        Ok(Self::Sample(steps))
    }

    /// Takes the selected steps on the machine and on L1, up to the first difference. If the
    /// machine exits, also checks that L1 keeps its last state.
    ///
    /// # Errors
    ///
    /// If the preimages lack what the program reads.
    pub fn check(
        self,
        machine: &mut Machine,
        preimages: &mut Preimages,
        l1: &mut L1Step,
    ) -> Result<StepCheck, MissingPreimage> {
        let steps: Box<dyn Iterator<Item = u64>> = match self {
            Self::All(steps) => Box::new(steps),
            Self::Sample(steps) => Box::new(steps.into_iter()),
        };
        let mut checked = 0;
        for step in steps {
            machine.run(preimages, step)?;
            if machine.exit().is_some() {
                break;
            }
            checked += 1;
            let difference = l1.check(machine, preimages)?;
            if difference.is_some() {
                return Ok(StepCheck { checked, difference });
            }
        }
        let difference =
            if machine.exit().is_some() { l1.check(machine, preimages)? } else { None };
        Ok(StepCheck { checked, difference })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use turnpike_vm::{Image, Instruction, Op};

    use super::*;

    const ROUNDS: i32 = 500;
    const DATA: u64 = 0x1000;

    /// Stores numbers, round by round, divides once and exits.
    fn program() -> Machine {
        let i = |op, rd, rs1, rs2, imm| Instruction { op, rd, rs1, rs2, imm }.encode();
        let words = [
            i(Op::Addi, 5, 0, 0, ROUNDS),
            i(Op::Lui, 7, 0, 0, 0x1000),
            i(Op::Addi, 6, 6, 0, 3),
            i(Op::Sd, 0, 7, 6, 8),
            i(Op::Addi, 5, 5, 0, -1),
            i(Op::Bne, 0, 5, 0, -12),
            i(Op::Div, 8, 6, 5, 0),
            i(Op::Addi, 17, 0, 0, 93),
            i(Op::Ecall, 0, 0, 0, 0),
        ];
        let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let image = Image::new(0)
            .expect("valid entry point")
            .with_segment(0, &code, DATA)
            .expect("the segment fits");
        Machine::new(&image)
    }

    const STEPS: u64 = 2 + 4 * ROUNDS as u64 + 3;

    fn check(steps: StepSelection, l1: &mut L1Step) -> (Option<Box<StepDifference>>, u64) {
        let result = steps.check(&mut program(), &mut Preimages::default(), l1);
        let StepCheck { checked, difference } = result.expect("reads nothing");
        (difference, checked)
    }

    fn sample(size: u64, seed: u64) -> BTreeSet<u64> {
        let mut machine = program();
        let steps = sample::choose(&mut machine, &mut Preimages::default(), u64::MAX, size, seed);
        assert_eq!((machine.exit(), machine.steps()), (Some(0), STEPS));
        steps.expect("reads nothing")
    }

    #[test]
    fn sample_is_spread_and_holds_rare_instructions() {
        let steps = sample(100, 1);
        assert!([1, STEPS - 3, STEPS - 1].iter().all(|step| steps.contains(step)));
        assert!((100..200).contains(&steps.len()), "{}", steps.len());
        let gaps = steps.iter().zip(steps.iter().skip(1)).map(|(step, next)| next - step);
        assert!(gaps.max() <= Some(2 * (STEPS / 100 + 1)));
        assert_eq!(sample(100, 1), steps);
        assert_ne!(sample(100, 2), steps);
        assert_eq!(sample(STEPS, 3).len() as u64, STEPS);
    }

    #[test]
    fn machine_and_l1_agree_on_every_step() {
        let mut l1 = L1Step::new();
        let (difference, checked) = check(StepSelection::All(0..u64::MAX), &mut l1);
        assert!(difference.is_none());
        assert_eq!(checked, STEPS);
        let (difference, checked) = check(StepSelection::All(7..19), &mut l1);
        assert!(difference.is_none());
        assert_eq!(checked, 12);
        let steps = sample(50, 0);
        let size = steps.len() as u64;
        let (difference, checked) = check(StepSelection::Sample(steps), &mut l1);
        assert!(difference.is_none());
        assert_eq!(checked, size);
    }

    /// A contract that returns zero as every state's hash.
    const ZERO: [u8; 15] =
        [0x64, 0x60, 0x20, 0x5f, 0xf3, 0x00, 0x5f, 0x52, 0x60, 0x05, 0x60, 0x1b, 0xf3, 0x00, 0x00];

    #[test]
    fn first_difference_is_reported() {
        let mut l1 = L1Step::with_contract(&ZERO).expect("can be deployed");
        let (difference, checked) = check(StepSelection::All(5..10), &mut l1);
        let difference = difference.expect("no state has this hash");
        assert_eq!((difference.witness.state.step, checked), (5, 1));
        assert_eq!(difference.l1, Ok(Default::default()));
        let text = difference.to_string();
        assert!(text.contains("bne t0, zero, -12"), "{text}");
        let json = difference.to_json();
        assert_eq!((&json["step"], &json["l1"]), (&json!(5), &json!(null)));
    }
}
