use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use alloy_primitives::B256;
use serde_json::{Map, Value, json};
use turnpike_vm::{Counts, Machine, Usage};

use super::{NOT_FINISHED, args::RunArgs};
use crate::common::Format;

/// Runs a program to its end.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let (mut machine, mut oracle) = args.program.load()?;
    let start = Instant::now();
    let counts = if args.count {
        let mut counts = Counts::default();
        machine.run_counted(&mut oracle, args.max_steps, &mut counts)?;
        Some(counts)
    } else {
        machine.run(&mut oracle, args.max_steps)?;
        None
    };
    let outcome = Outcome::new(&mut machine, start.elapsed(), counts);
    match args.program.format {
        Format::Text => outcome.print()?,
        Format::Json => writeln!(io::stdout(), "{}", outcome.to_json())?,
    }
    Ok(explain(&machine))
}

/// The program's exit status; says on standard error what there is to say about it.
fn explain(machine: &Machine) -> ExitCode {
    let Some(code) = machine.exit() else {
        eprintln!("error: not finished after {} steps", machine.steps());
        return ExitCode::from(NOT_FINISHED);
    };
    if let Some(trap) = machine.trap() {
        let instruction = match (machine.instruction_word(), machine.instruction()) {
            (Some(word), Ok(instruction)) => format!(", instruction {word:#010x} ({instruction})"),
            (Some(word), Err(_)) => format!(", instruction {word:#010x}"),
            (None, _) => String::new(),
        };
        eprintln!(
            "error: {trap}: stopped at pc {:#x}{instruction}, step {}",
            machine.pc(),
            machine.steps()
        );
    }
    ExitCode::from(code.to_le_bytes()[0])
}

struct Outcome {
    exit: Option<u64>,
    steps: u64,
    time: Duration,
    usage: Usage,
    state: B256,
    counts: Option<Counts>,
}

impl Outcome {
    fn new(machine: &mut Machine, time: Duration, counts: Option<Counts>) -> Self {
        Self {
            exit: machine.exit(),
            steps: machine.steps(),
            time,
            usage: machine.usage(),
            state: machine.state().hash(),
            counts,
        }
    }

    fn steps_per_second(&self) -> f64 {
        self.steps as f64 / self.time.as_secs_f64().max(1e-9)
    }

    fn to_json(&self) -> Value {
        let counts = |counts: &Counts| -> Map<String, Value> {
            counts.iter().map(|(class, count)| (class.name().to_owned(), count.into())).collect()
        };
        json!({
            "exit": self.exit,
            "steps": self.steps,
            "seconds": self.time.as_secs_f64(),
            "stepsPerSecond": self.steps_per_second().round(),
            "pages": self.usage.pages,
            "memoryEnd": self.usage.end,
            "state": self.state,
            "instructions": self.counts.as_ref().map(counts),
        })
    }

    fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match self.exit {
            Some(code) => writeln!(out, "exit    {code}")?,
            None => writeln!(out, "exit    none")?,
        }
        writeln!(out, "steps   {}", self.steps)?;
        let speed = self.steps_per_second() / 1e6;
        writeln!(out, "time    {:.3?}, {speed:.1} million steps/s", self.time)?;
        let (pages, kib) = (self.usage.pages, self.usage.bytes() / 1024);
        writeln!(out, "memory  {pages} pages written, {kib} KiB; end {:#x}", self.usage.end)?;
        writeln!(out, "state   {}", self.state)?;
        for (class, count) in self.counts.iter().flat_map(Counts::iter) {
            writeln!(out, "{:<8}{count}", class.name())?;
        }
        Ok(())
    }
}
