//! The machine: registers, memory and decoded code, with run, step, snapshot and witness.
//!
//! # State
//!
//! Registers (`Cpu`), memory pages and the decoded copy of code pages. The decoded copy always
//! equals the memory: stores to watched pages refresh it.
//!
//! # Invariants
//!
//! [`Machine::run`] and [`Machine::step`] come to the same states. After a missing preimage the
//! machine has not moved.

use alloy_primitives::B256;
use turnpike_protocol::Oracle;

use crate::{
    State,
    code::Code,
    cpu::{Cpu, Registers},
    elf::{ElfError, Image},
    fast,
    instruction::Instruction,
    memory::{LEAF_BYTES, MEMORY_BYTES, MEMORY_HEIGHT, Memory, PAGE_BYTES, Subtree, Usage},
    observe::{Counts, Observer},
    step::{MissingPreimage, Trap, check_access, fetch, next_oracle_read, step, trap},
};

/// Bytes that prove one leaf of memory: the leaf and its siblings from the bottom up.
const LEAF_PROOF_BYTES: usize = LEAF_BYTES * (1 + MEMORY_HEIGHT);

/// Number of the stack pointer.
const SP: u8 = 2;

/// A machine between two steps.
#[derive(Debug)]
pub struct Machine {
    cpu: Cpu,
    memory: Memory,
    code: Code,
}

/// A machine's state to restore. Snapshots and machines share the pages that do not differ.
#[derive(Clone, Debug)]
pub struct Snapshot {
    cpu: Cpu,
    memory: Subtree,
    usage: Usage,
}

/// What L1 needs to repeat one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepWitness {
    /// The state before the step.
    pub state: State,
    /// The instruction's leaf with its 27 siblings from the bottom up, then the same for the data
    /// of a load or store. A step that faults before it reads a leaf has no proof of it.
    pub proof: Vec<u8>,
    /// Key and offset of the step's oracle read, if it reads.
    pub read: Option<(B256, u64)>,
}

impl Machine {
    /// A machine before the first step of a program.
    pub fn new(image: &Image<'_>) -> Self {
        let mut registers = Registers::zero();
        registers.set(SP, MEMORY_BYTES);
        let cpu = Cpu { pc: image.entry(), registers, exit: None, step: 0 };
        let mut machine = Self { cpu, memory: Memory::new(), code: Code::new() };
        for segment in image.segments() {
            machine.memory.write(segment.address, segment.bytes);
            let zeros = segment.address + segment.bytes.len() as u64;
            machine.memory.clear(zeros, segment.length - segment.bytes.len() as u64);
        }
        machine
    }

    /// A machine before the first step of a static RV64IM executable. `entry` replaces the file's
    /// entry point.
    ///
    /// # Errors
    ///
    /// If the file is not a static RV64IM executable.
    pub fn load(elf: &[u8], entry: Option<u64>) -> Result<Self, ElfError> {
        Ok(Self::new(&Image::parse(elf, entry)?))
    }

    /// Takes one step by the definition. A machine that has exited takes none.
    ///
    /// # Errors
    ///
    /// If the oracle lacks what the program reads. The machine has not moved then.
    pub fn step(&mut self, oracle: &mut impl Oracle) -> Result<(), MissingPreimage> {
        if let Some(address) = step(&mut self.cpu, &mut self.memory, oracle)? {
            self.code.refresh(address, &self.memory);
        }
        Ok(())
    }

    /// Takes steps until the machine has taken `until_step` in all, or has exited.
    ///
    /// # Errors
    ///
    /// If the oracle lacks what the program reads. The machine stands before that read then.
    pub fn run(
        &mut self,
        oracle: &mut impl Oracle,
        until_step: u64,
    ) -> Result<(), MissingPreimage> {
        self.run_plain(oracle, until_step)
    }

    /// Like [`run`](Self::run), and counts the instructions by class, which is slower.
    ///
    /// # Errors
    ///
    /// As `run`.
    pub fn run_counted(
        &mut self,
        oracle: &mut impl Oracle,
        until_step: u64,
        counts: &mut Counts,
    ) -> Result<(), MissingPreimage> {
        self.run_with_counts(oracle, until_step, counts)
    }

    /// Not generic, so that the interpreter is compiled with this crate's profile and not with its
    /// user's.
    fn run_plain(
        &mut self,
        oracle: &mut dyn Oracle,
        until_step: u64,
    ) -> Result<(), MissingPreimage> {
        self.run_observed(oracle, until_step, &mut ())
    }

    fn run_with_counts(
        &mut self,
        oracle: &mut dyn Oracle,
        until_step: u64,
        counts: &mut Counts,
    ) -> Result<(), MissingPreimage> {
        self.run_observed(oracle, until_step, counts)
    }

    fn run_observed(
        &mut self,
        mut oracle: &mut dyn Oracle,
        until_step: u64,
        observer: &mut impl Observer,
    ) -> Result<(), MissingPreimage> {
        while self.cpu.exit.is_none() && self.cpu.step < until_step {
            fast::run(&mut self.cpu, &mut self.memory, &mut self.code, until_step, observer);
            if self.cpu.step < until_step {
                let class = self.instruction().ok().map(|instruction| instruction.op.class());
                self.step(&mut oracle)?;
                if let Some(class) = class {
                    observer.executed(class);
                }
            }
        }
        Ok(())
    }

    /// The current state. Its memory root costs hashes in proportion to the pages written since the
    /// last root.
    pub fn state(&mut self) -> State {
        State {
            memory_root: self.memory.root(),
            pc: self.cpu.pc,
            registers: self.cpu.registers.all(),
            exit: self.cpu.exit,
            step: self.cpu.step,
        }
    }

    /// What L1 needs to repeat the next step.
    pub fn witness(&mut self) -> StepWitness {
        let mut proof = Vec::new();
        if self.cpu.exit.is_none() && check_access(self.cpu.pc, 4).is_ok() {
            self.prove(self.cpu.pc, &mut proof);
            if let Some(address) = self.next_access() {
                self.prove(address, &mut proof);
            }
        }
        let read = next_oracle_read(&self.cpu, &self.memory);
        StepWitness { state: self.state(), proof, read }
    }

    fn prove(&mut self, address: u64, proof: &mut Vec<u8>) {
        let (leaf, siblings) = self.memory.prove(address);
        proof.reserve_exact(LEAF_PROOF_BYTES);
        proof.extend_from_slice(&leaf);
        siblings.iter().for_each(|sibling| proof.extend_from_slice(sibling.as_slice()));
    }

    /// The address that the next step loads from or stores to, if it does not fault.
    pub fn next_access(&self) -> Option<u64> {
        let instruction = self.instruction().ok()?;
        let bytes = instruction.op.access_bytes();
        let address = self.register(instruction.rs1).wrapping_add(instruction.imm64());
        (bytes != 0 && self.cpu.exit.is_none() && check_access(address, bytes).is_ok())
            .then_some(address)
    }

    /// A snapshot of the current state. Computes no hashes.
    pub fn snapshot(&mut self) -> Snapshot {
        Snapshot { cpu: self.cpu.clone(), memory: self.memory.commit(), usage: self.memory.usage() }
    }

    /// Restores a snapshot of this machine or of another. The cost is proportional to the pages
    /// that differ.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        let mut changed = Vec::new();
        self.memory.restore(&snapshot.memory, snapshot.usage, |index| changed.push(index));
        for index in changed {
            self.code.forget(index, &mut self.memory);
        }
        self.cpu = snapshot.cpu.clone();
    }

    /// Address of the next instruction.
    pub const fn pc(&self) -> u64 {
        self.cpu.pc
    }

    /// The exit code, if the machine has exited.
    pub const fn exit(&self) -> Option<u64> {
        self.cpu.exit
    }

    /// Why the machine stopped, if its program did not exit by a call.
    pub fn trap(&self) -> Option<Trap> {
        trap(&self.cpu, &self.memory)
    }

    /// Number of steps taken.
    pub const fn steps(&self) -> u64 {
        self.cpu.step
    }

    /// A register by its number, 0 to 31.
    pub const fn register(&self, number: u8) -> u64 {
        self.cpu.registers.get(number & 31)
    }

    /// Sets a register by its number, 1 to 31, which is not a step: for tests of single steps and
    /// false runs.
    pub fn set_register(&mut self, number: u8, value: u64) {
        self.cpu.registers.set(number & 31, value);
    }

    /// Sets the address of the next instruction, which is not a step: for tests of single steps.
    pub const fn set_pc(&mut self, pc: u64) {
        self.cpu.pc = pc;
    }

    /// The next instruction's word; `None` if its address faults.
    pub fn instruction_word(&self) -> Option<u32> {
        check_access(self.cpu.pc, 4).ok()?;
        Some(crate::bits::low(self.memory.load(self.cpu.pc, 4)))
    }

    /// The next instruction.
    ///
    /// # Errors
    ///
    /// The trap that the next step stops with.
    pub fn instruction(&self) -> Result<Instruction, Trap> {
        fetch(self.cpu.pc, &self.memory)
    }

    /// The byte at an address; zero past the end of memory.
    pub fn byte(&self, address: u64) -> u8 {
        if address < MEMORY_BYTES { self.memory.load(address, 1).to_le_bytes()[0] } else { 0 }
    }

    /// The pages written so far.
    pub const fn usage(&self) -> Usage {
        self.memory.usage()
    }

    /// Number of hashes that memory roots have cost so far.
    pub const fn hashes(&self) -> u64 {
        self.memory.hashes()
    }
}

impl Snapshot {
    /// A new machine in this state.
    pub fn to_machine(&self) -> Machine {
        let mut machine =
            Machine { cpu: self.cpu.clone(), memory: Memory::new(), code: Code::new() };
        machine.restore(self);
        machine
    }

    /// Number of steps at the snapshot.
    pub const fn steps(&self) -> u64 {
        self.cpu.step
    }
}

const _: () = assert!(LEAF_PROOF_BYTES == 896 && PAGE_BYTES.is_multiple_of(LEAF_BYTES));
