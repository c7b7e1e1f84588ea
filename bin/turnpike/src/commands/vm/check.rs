use std::{
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
use turnpike_game::{L1Step, StepCheck, StepSelection};
use turnpike_protocol::Preimages;
use turnpike_vm::Machine;

use super::args::CheckArgs;
use crate::common::Format;

/// Takes steps of a program on the machine and on L1, and prints the first difference.
pub(crate) fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let (mut machine, mut oracle) = args.program.load()?;
    let mut l1 = args.contract.as_deref().map_or_else(|| Ok(L1Step::new()), from_artifact)?;
    let start = Instant::now();
    let steps = select(args, &mut machine, &mut oracle)?;
    let StepCheck { checked, difference } = steps.check(&mut machine, &mut oracle, &mut l1)?;
    if let Some(difference) = difference {
        match args.program.format {
            Format::Text => write!(io::stdout(), "{difference}")?,
            Format::Json => writeln!(io::stdout(), "{}", difference.to_json())?,
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

fn select(
    args: &CheckArgs,
    machine: &mut Machine,
    oracle: &mut Preimages,
) -> anyhow::Result<StepSelection> {
    if args.every {
        return Ok(StepSelection::All(0..args.max_steps));
    }
    if let Some(Range { start, end }) = args.steps {
        return Ok(StepSelection::All(start..end.min(args.max_steps)));
    }
    Ok(StepSelection::sample(machine, oracle, args.max_steps, args.sample, args.seed)?)
}

/// Reads the contract from a JSON artefact: ours or forge's.
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
