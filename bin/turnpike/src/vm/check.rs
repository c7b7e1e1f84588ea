use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    ops::Range,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use alloy_primitives::Bytes;
use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::json;
use turnpike_game::{L1Step, StepDifference};
use turnpike_protocol::Preimages;
use turnpike_vm::Machine;

use super::{
    args::{CheckArgs, Format},
    difference, sample,
};

/// Takes steps of a program on L1, too.
pub(crate) fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let (mut machine, mut oracle) = args.program.load()?;
    let mut l1 = args.contract.as_deref().map_or_else(|| Ok(L1Step::new()), from_artifact)?;
    let start = Instant::now();
    let plan = Plan::new(args, &mut machine, &mut oracle)?;
    let mut checked = 0;
    let difference = plan.check(&mut machine, &mut oracle, &mut l1, &mut checked)?;
    if let Some(difference) = difference {
        match args.program.format {
            Format::Text => io::stdout().write_all(difference::text(&difference).as_bytes())?,
            Format::Json => writeln!(io::stdout(), "{}", difference::json(&difference))?,
        }
        eprintln!(
            "error: L1 does not take step {} as the machine does",
            difference.witness.state.step
        );
        return Ok(ExitCode::FAILURE);
    }
    if checked == 0 {
        bail!(
            "no step was checked: the program takes {} before it ends or is stopped",
            machine.steps()
        );
    }
    print(args.program.format, checked, &machine, start.elapsed())?;
    Ok(ExitCode::SUCCESS)
}

fn print(format: Format, checked: u64, machine: &Machine, time: Duration) -> io::Result<()> {
    let mut out = io::stdout();
    let (steps, exit) = (machine.steps(), machine.exit());
    match (format, exit) {
        (Format::Json, _) => {
            let seconds = time.as_secs_f64();
            writeln!(
                out,
                "{}",
                json!({ "checked": checked, "steps": steps, "exit": exit, "seconds": seconds })
            )
        }
        (Format::Text, Some(code)) => {
            writeln!(
                out,
                "checked {checked} of {steps} steps in {time:.1?}: all alike; exit {code}"
            )
        }
        (Format::Text, None) => {
            writeln!(out, "checked {checked} steps up to step {steps} in {time:.1?}: all alike")
        }
    }
}

/// Which steps are checked.
enum Plan {
    All(Range<u64>),
    Some(BTreeSet<u64>),
}

impl Plan {
    /// Leaves the machine at its first step.
    fn new(
        args: &CheckArgs,
        machine: &mut Machine,
        oracle: &mut Preimages,
    ) -> anyhow::Result<Self> {
        if args.every {
            return Ok(Self::All(0..args.max_steps));
        }
        if let Some(Range { start, end }) = args.steps {
            return Ok(Self::All(start..end.min(args.max_steps)));
        }
        let first = machine.snapshot();
        let steps = sample::choose(machine, oracle, args.max_steps, args.sample, args.seed)?;
        machine.restore(&first);
        Ok(Self::Some(steps))
    }

    /// Checks them, and if they go to the machine's end, that it stays there.
    fn check(
        self,
        machine: &mut Machine,
        oracle: &mut Preimages,
        l1: &mut L1Step,
        checked: &mut u64,
    ) -> anyhow::Result<Option<Box<StepDifference>>> {
        let steps: Box<dyn Iterator<Item = u64>> = match self {
            Self::All(steps) => Box::new(steps),
            Self::Some(steps) => Box::new(steps.into_iter()),
        };
        for step in steps {
            machine.run(oracle, step)?;
            if machine.exit().is_some() {
                break;
            }
            *checked += 1;
            let difference = l1.check(machine, oracle)?;
            if difference.is_some() {
                return Ok(difference);
            }
        }
        if machine.exit().is_none() {
            return Ok(None);
        }
        Ok(l1.check(machine, oracle)?)
    }
}

/// The contract out of a JSON artefact: ours, or forge's own.
fn from_artifact(path: &Path) -> anyhow::Result<L1Step> {
    #[derive(Deserialize)]
    struct Artifact {
        bytecode: Code,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Code {
        Ours(Bytes),
        Forge { object: Bytes },
    }
    let name = path.display();
    let json = fs::read(path).with_context(|| format!("cannot read {name}"))?;
    let artifact: Artifact =
        serde_json::from_slice(&json).with_context(|| format!("{name} holds no contract"))?;
    let (Code::Ours(code) | Code::Forge { object: code }) = artifact.bytecode;
    L1Step::with_contract(&code).with_context(|| format!("cannot deploy {name}"))
}

#[cfg(test)]
mod tests {
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
        let image = Image::new(0).expect("an entry").with_segment(0, &code, DATA).expect("fits");
        Machine::new(&image)
    }

    const STEPS: u64 = 2 + 4 * ROUNDS as u64 + 3;

    fn check(plan: Plan, l1: &mut L1Step) -> (Option<Box<StepDifference>>, u64) {
        let mut checked = 0;
        let difference = plan.check(&mut program(), &mut Preimages::default(), l1, &mut checked);
        (difference.expect("reads nothing"), checked)
    }

    fn sample(size: u64, seed: u64) -> BTreeSet<u64> {
        let mut machine = program();
        let steps = sample::choose(&mut machine, &mut Preimages::default(), u64::MAX, size, seed);
        assert_eq!((machine.exit(), machine.steps()), (Some(0), STEPS));
        steps.expect("reads nothing")
    }

    #[test]
    fn a_sample_has_the_rare_and_is_spread() {
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
    fn all_steps_are_alike() {
        let mut l1 = L1Step::new();
        let (difference, checked) = check(Plan::All(0..u64::MAX), &mut l1);
        assert!(difference.is_none());
        assert_eq!(checked, STEPS);
        let (difference, checked) = check(Plan::All(7..19), &mut l1);
        assert!(difference.is_none());
        assert_eq!(checked, 12);
        let steps = sample(50, 0);
        let size = steps.len() as u64;
        let (difference, checked) = check(Plan::Some(steps), &mut l1);
        assert!(difference.is_none());
        assert_eq!(checked, size);
    }

    /// A contract that says of every state that its hash is zero.
    const ZERO: [u8; 15] =
        [0x64, 0x60, 0x20, 0x5f, 0xf3, 0x00, 0x5f, 0x52, 0x60, 0x05, 0x60, 0x1b, 0xf3, 0x00, 0x00];

    #[test]
    fn the_first_difference_is_told() {
        let mut l1 = L1Step::with_contract(&ZERO).expect("can be deployed");
        let (difference, checked) = check(Plan::All(5..10), &mut l1);
        let difference = difference.expect("no state has this hash");
        assert_eq!((difference.witness.state.step, checked), (5, 1));
        assert_eq!(difference.l1, Ok(Default::default()));
        let text = difference::text(&difference);
        assert!(text.contains("bne t0, zero, -12"), "{text}");
        let json = difference::json(&difference);
        assert_eq!((&json["step"], &json["l1"]), (&json!(5), &json!(null)));
    }
}
