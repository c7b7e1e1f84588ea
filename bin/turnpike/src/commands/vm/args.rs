use std::{ops::Range, path::PathBuf};

use clap::{Args, Subcommand};
use turnpike_vm::STEPS_MAX;

use crate::common::Format;

#[derive(Debug, Args)]
pub(crate) struct VmArgs {
    #[command(subcommand)]
    pub(crate) command: VmCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VmCommand {
    /// Run a program to its end. The exit status is the program's: the low byte of a0 at its exit, or 132 (no
    /// instruction), 133 (ebreak), 135 (misaligned), 139 (out of memory's range) or 159 (no such ecall) if it was stopped.
    Run(RunArgs),
    /// Print what each step of a program does.
    Trace(TraceArgs),
    /// Take steps of a program on L1, too: by its contract, in an EVM in this process. Stops at the first that differs,
    /// with exit status 1.
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ProgramArgs {
    /// The program: a static RV64IM executable, at addresses below 2^32.
    #[arg(long, value_name = "FILE")]
    pub(crate) elf: PathBuf,
    /// Start here instead of where the file says; hexadecimal with 0x.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_number)]
    pub(crate) entry: Option<u64>,
    /// What the program may read: preimages, as JSON. Without it there are none, and the local inputs are zeros.
    #[arg(long, value_name = "FILE")]
    pub(crate) oracle: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) program: ProgramArgs,
    /// Stop after so many steps, with exit status 124. The default is what a dispute has room for.
    #[arg(long, value_name = "STEPS", default_value_t = STEPS_MAX, value_parser = parse_number)]
    pub(crate) max_steps: u64,
    /// Count instructions by class as well, which is slower.
    #[arg(long)]
    pub(crate) count: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    #[command(flatten)]
    pub(crate) program: ProgramArgs,
    /// The first step to print; those before it are run.
    #[arg(long, value_name = "STEP", default_value_t = 0, value_parser = parse_number)]
    pub(crate) from: u64,
    /// Steps to print, at most.
    #[arg(long, value_name = "STEPS", default_value_t = 100, value_parser = parse_number)]
    pub(crate) count: u64,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) program: ProgramArgs,
    /// Check so many steps, spread evenly; of every instruction, however rare, a sixteenth as many and at least 16, if
    /// there are as many; and the last step.
    #[arg(long, value_name = "STEPS", default_value_t = 1000, value_parser = parse_number)]
    pub(crate) sample: u64,
    /// Decides which steps a sample has.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = parse_number)]
    pub(crate) seed: u64,
    /// Check every step instead of a sample.
    #[arg(long, conflicts_with_all = ["sample", "seed", "steps"])]
    pub(crate) every: bool,
    /// Check every one of these steps instead of a sample: those from FROM on, before TO.
    #[arg(long, value_name = "FROM..TO", value_parser = parse_range, conflicts_with_all = ["sample", "seed"])]
    pub(crate) steps: Option<Range<u64>>,
    /// Go no further than so many steps. The default is what a dispute has room for.
    #[arg(long, value_name = "STEPS", default_value_t = STEPS_MAX, value_parser = parse_number)]
    pub(crate) max_steps: u64,
    /// Check this build of the contract: a JSON artefact. The default is the one built in.
    #[arg(long, value_name = "FILE")]
    pub(crate) contract: Option<PathBuf>,
}

/// A number, hexadecimal with `0x`.
fn parse_number(text: &str) -> Result<u64, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map_err(|error| format!("{error}: expected a number, hexadecimal with 0x"))
}

/// Two numbers with `..` between them.
fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("expected FROM..TO")?;
    let range = parse_number(from)?..parse_number(to)?;
    if range.is_empty() { Err("no step is in it".to_owned()) } else { Ok(range) }
}
