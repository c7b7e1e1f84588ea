//! Runs the proof program natively and in the machine.

use std::time::{Duration, Instant};

use alloy_primitives::B256;
use turnpike_program::Fault;
use turnpike_protocol::Preimages;
use turnpike_vm::{Counts, ElfError, Machine, MissingPreimage, STEPS_MAX, Usage};

use super::RecordingOracle;

/// Registers that hold the output root at the program's exit.
const ROOT_REGISTERS: [u8; 4] = [11, 12, 13, 14];

/// A native run of the program.
#[derive(Clone, Debug)]
pub struct NativeRun {
    /// The output root.
    pub result: Result<B256, Fault>,
    /// What it read, precompile outputs included.
    pub read: Preimages,
    /// Duration of the run.
    pub time: Duration,
}

/// A run of the program in the machine.
#[derive(Clone, Debug)]
pub struct MachineRun {
    /// The output root.
    pub result: Result<B256, MachineFault>,
    /// What it read: the smallest witness.
    pub read: Preimages,
    /// Number of instructions by class.
    pub counts: Counts,
    /// Number of steps.
    pub steps: u64,
    /// Memory pages that it wrote.
    pub memory: Usage,
    /// Duration of the run.
    pub time: Duration,
}

/// Why a machine's run has no output root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MachineFault {
    /// The exit code is not 0.
    #[error("the program exits with code {0}")]
    Exit(u64),
    /// The witness lacks what the program reads.
    #[error(transparent)]
    Missing(#[from] MissingPreimage),
    /// The program did not exit.
    #[error("the program has not exited after {0} steps")]
    Endless(u64),
}

/// Runs the program natively.
pub fn run_native(witness: &Preimages) -> NativeRun {
    let mut oracle = RecordingOracle::new(witness);
    let start = Instant::now();
    let result = turnpike_program::run(&mut oracle);
    NativeRun { result, time: start.elapsed(), read: oracle.into_read() }
}

/// Runs a program's ELF in the machine on a witness that includes precompile outputs.
pub fn run_machine(elf: &[u8], witness: &Preimages) -> Result<MachineRun, ElfError> {
    let mut machine = Machine::load(elf, None)?;
    let mut oracle = RecordingOracle::new(witness);
    let mut counts = Counts::default();
    let start = Instant::now();
    let ran = machine.run_counted(&mut oracle, STEPS_MAX, &mut counts);
    let time = start.elapsed();
    let result = match (ran, machine.exit()) {
        (Err(missing), _) => Err(missing.into()),
        (Ok(()), Some(0)) => Ok(output_root(|number| machine.register(number))),
        (Ok(()), Some(code)) => Err(MachineFault::Exit(code)),
        (Ok(()), None) => Err(MachineFault::Endless(machine.steps())),
    };
    let (steps, memory) = (machine.steps(), machine.usage());
    Ok(MachineRun { result, read: oracle.into_read(), counts, steps, memory, time })
}

/// The output root in an exited machine's registers, little-endian.
pub(crate) fn output_root(register: impl Fn(u8) -> u64) -> B256 {
    let mut root = B256::ZERO;
    for (bytes, number) in root.as_chunks_mut::<8>().0.iter_mut().zip(ROOT_REGISTERS) {
        *bytes = register(number).to_le_bytes();
    }
    root
}
