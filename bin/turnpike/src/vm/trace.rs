use std::{
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
};

use serde_json::{Map, Value, json};
use turnpike_protocol::Oracle;
use turnpike_vm::{Class, Machine, MissingPreimage, REGISTER_NAMES};

use super::args::{Format, TraceArgs};

/// Prints what steps do.
pub(crate) fn trace(args: &TraceArgs) -> anyhow::Result<ExitCode> {
    let (mut machine, mut oracle) = args.program.load()?;
    machine.run(&mut oracle, args.from)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for _ in 0..args.count {
        if machine.exit().is_some() {
            break;
        }
        let step = match Step::take(&mut machine, &mut oracle) {
            Ok(step) => step,
            Err(missing) => {
                out.flush()?;
                return Err(missing.into());
            }
        };
        let written = match args.program.format {
            Format::Text => writeln!(out, "{}", step.to_text()),
            Format::Json => writeln!(out, "{}", step.to_json()),
        };
        if is_closed(&written) {
            return Ok(ExitCode::SUCCESS);
        }
        written?;
    }
    let flushed = out.flush();
    if !is_closed(&flushed) {
        flushed?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether the reader has seen enough, as `head` has.
fn is_closed(result: &io::Result<()>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::BrokenPipe)
}

/// What one step did.
#[derive(Debug)]
pub(crate) struct Step {
    step: u64,
    pc: u64,
    word: Option<u32>,
    instruction: Option<String>,
    /// Number and new value of each register that changed.
    registers: Vec<(u8, u64)>,
    /// Address, bytes and value of a store.
    store: Option<(u64, u64, u64)>,
    exit: Option<u64>,
}

impl Step {
    /// Takes the machine's next step.
    pub(crate) fn take(
        machine: &mut Machine,
        oracle: &mut impl Oracle,
    ) -> Result<Self, MissingPreimage> {
        let before: Vec<u64> = (0..32).map(|number| machine.register(number)).collect();
        let instruction = machine.instruction().ok();
        let stores = instruction.filter(|instruction| instruction.op.class() == Class::Store);
        let store = stores.and_then(|instruction| {
            let bytes = instruction.op.access_bytes();
            let value = machine.register(instruction.rs2) & (u64::MAX >> (64 - 8 * bytes));
            Some((machine.next_access()?, bytes, value))
        });
        let mut taken = Self {
            step: machine.steps(),
            pc: machine.pc(),
            word: machine.instruction_word(),
            instruction: instruction.map(|instruction| instruction.to_string()),
            registers: Vec::new(),
            store,
            exit: None,
        };
        machine.step(oracle)?;
        let after = (0..32).map(|number| (number, machine.register(number)));
        taken.registers = after
            .zip(before)
            .filter_map(|((number, new), old)| (new != old).then_some((number, new)))
            .collect();
        taken.exit = machine.exit();
        Ok(taken)
    }

    pub(crate) fn to_text(&self) -> String {
        let word = self.word.map_or_else(|| "-".into(), |word| format!("{word:08x}"));
        let instruction = self.instruction.as_deref().unwrap_or("-");
        let mut text = format!("{:>10}  {:08x}  {word:<8}  {instruction:<28}", self.step, self.pc);
        for (number, value) in &self.registers {
            let _ = write!(text, "  {}={value:#x}", name(*number));
        }
        if let Some((address, bytes, value)) = self.store {
            let _ = write!(text, "  [{address:#x}]={value:#x} ({bytes} bytes)");
        }
        if let Some(code) = self.exit {
            let _ = write!(text, "  exit={code}");
        }
        text.truncate(text.trim_end().len());
        text
    }

    pub(crate) fn to_json(&self) -> Value {
        let registers: Map<String, Value> = self
            .registers
            .iter()
            .map(|(number, value)| (name(*number).into(), format!("{value:#x}").into()))
            .collect();
        let store = self.store.map(|(address, bytes, value)| {
            json!({ "address": format!("{address:#x}"), "bytes": bytes, "value": format!("{value:#x}") })
        });
        json!({
            "step": self.step,
            "pc": format!("{:#x}", self.pc),
            "word": self.word.map(|word| format!("{word:#010x}")),
            "instruction": self.instruction,
            "registers": registers,
            "memory": store,
            "exit": self.exit,
        })
    }
}

fn name(register: u8) -> &'static str {
    REGISTER_NAMES[usize::from(register)]
}
