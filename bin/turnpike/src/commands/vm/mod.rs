//! `turnpike vm`: programs on the proof machine.

mod args;
mod check;
mod run;
mod trace;

use std::{fs, process::ExitCode};

use anyhow::Context as _;
use turnpike_protocol::Preimages;
use turnpike_vm::Machine;

pub(crate) use self::args::VmArgs;
use self::args::{ProgramArgs, VmCommand};

/// Exit code of a command that stopped before its program did, as `timeout` has it.
const NOT_FINISHED: u8 = 124;

pub(crate) fn run(args: VmArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        VmCommand::Run(args) => run::run(&args),
        VmCommand::Trace(args) => trace::trace(&args),
        VmCommand::Check(args) => check::check(&args),
    }
}

impl ProgramArgs {
    /// The program before its first step, and what it reads.
    fn load(&self) -> anyhow::Result<(Machine, Preimages)> {
        let path = self.elf.display();
        let elf = fs::read(&self.elf).with_context(|| format!("cannot read {path}"))?;
        let machine =
            Machine::load(&elf, self.entry).with_context(|| format!("cannot run {path}"))?;
        let Some(file) = &self.oracle else { return Ok((machine, Preimages::default())) };
        let path = file.display();
        let json = fs::read(file).with_context(|| format!("cannot read {path}"))?;
        let oracle = serde_json::from_slice(&json)
            .with_context(|| format!("{path} does not hold preimages"))?;
        Ok((machine, oracle))
    }
}
