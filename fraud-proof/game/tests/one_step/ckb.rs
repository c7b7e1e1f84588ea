use std::collections::HashMap;

use alloy_primitives::B256;
use ckb_vm::{
    CoreMachine, Error, ISA_IMC, Machine,
    instructions::{execute, i, m},
    machine::VERSION2,
};
use turnpike_vm::State;

use crate::memory::CkbMemory;

const SIGILL: u64 = 132;
const SIGTRAP: u64 = 133;
const SIGBUS: u64 = 135;
const SIGSEGV: u64 = 139;
const SIGSYS: u64 = 159;

/// An independent implementation of the machine: ckb-vm decodes and executes.
///
/// This type implements the parts that the specification leaves open or does not cover: faults,
/// `fence` (ckb-vm accepts only the form without registers), `fence.i` (ckb-vm has it, RV64IM does
/// not) and calls.
pub(crate) struct CkbMachine {
    pub(crate) registers: [u64; 32],
    pub(crate) pc: u64,
    next_pc: u64,
    pub(crate) exit: Option<u64>,
    pub(crate) step: u64,
    pub(crate) memory: CkbMemory,
    /// Preimages by key.
    oracle: HashMap<B256, Vec<u8>>,
    was_called: bool,
}

/// Why an instruction stops.
enum Stop {
    Exit(u64),
    Missing,
}

impl CkbMachine {
    pub(crate) fn new(memory: CkbMemory, oracle: HashMap<B256, Vec<u8>>) -> Self {
        Self {
            registers: [0; 32],
            pc: 0,
            next_pc: 0,
            exit: None,
            step: 0,
            memory,
            oracle,
            was_called: false,
        }
    }

    /// Takes a step. Returns false and changes nothing if the oracle has no preimage for the key.
    pub(crate) fn step(&mut self) -> bool {
        if self.exit.is_some() {
            return true;
        }
        let before = (self.registers, self.pc);
        let stop = self.run().err();
        if stop.is_some() {
            (self.registers, self.pc) = before;
        }
        match stop {
            Some(Stop::Missing) => return false,
            Some(Stop::Exit(code)) => self.exit = Some(code),
            None => {}
        }
        self.step += 1;
        true
    }

    pub(crate) fn state(&mut self) -> State {
        State {
            memory_root: self.memory.root(),
            pc: self.pc,
            registers: *self.registers.last_chunk().expect("31 registers"),
            exit: self.exit,
            step: self.step,
        }
    }

    fn run(&mut self) -> Result<(), Stop> {
        let word = ckb_vm::Memory::execute_load32(&mut self.memory, self.pc).map_err(stop)?;
        match (word & 0x7f, (word >> 12) & 7) {
            (0x0f, 0) => {
                self.pc += 4;
                return Ok(());
            }
            (0x0f, 1) => return Err(Stop::Exit(SIGILL)),
            _ => {}
        }
        let decoded =
            i::factory::<u64>(word, VERSION2).or_else(|| m::factory::<u64>(word, VERSION2));
        let instruction = decoded.ok_or(Stop::Exit(SIGILL))?;
        self.was_called = false;
        execute(instruction, self).map_err(stop)?;
        if self.was_called { self.call() } else { Ok(()) }
    }

    fn call(&mut self) -> Result<(), Stop> {
        let [a0, a1, a2, a3, offset] =
            *self.registers[10..].first_chunk().expect("the slice has five registers");
        match self.registers[17] {
            93 => return Err(Stop::Exit(a0)),
            1000 => {}
            _ => return Err(Stop::Exit(SIGSYS)),
        }
        let key = B256::from_slice(&[a0, a1, a2, a3].map(u64::to_le_bytes).concat());
        let local = key[0] == 1 && key[1..31].iter().all(|byte| *byte == 0) && key[31] < 5;
        if offset & 31 != 0 || !(local || matches!(key[0], 2..=4)) {
            return Err(Stop::Exit(SIGSYS));
        }
        let bytes = self.oracle.get(&key).ok_or(Stop::Missing)?;
        let from = usize::try_from(offset).expect("usize has 64 bits").min(bytes.len());
        let mut word: Vec<u8> = bytes[from..].iter().copied().take(32).collect();
        word.resize(32, 0);
        for (register, bytes) in self.registers[10..14].iter_mut().zip(word.as_chunks().0) {
            *register = u64::from_le_bytes(*bytes);
        }
        self.registers[14] = bytes.len() as u64;
        Ok(())
    }
}

fn stop(error: Error) -> Stop {
    Stop::Exit(match error {
        Error::MemPageUnalignedAccess => SIGBUS,
        Error::MemOutOfBound => SIGSEGV,
        Error::Pause => SIGTRAP,
        error => panic!("ckb-vm: {error}"),
    })
}

impl CoreMachine for CkbMachine {
    type REG = u64;
    type MEM = CkbMemory;

    fn pc(&self) -> &u64 {
        &self.pc
    }

    fn update_pc(&mut self, pc: u64) {
        self.next_pc = pc;
    }

    fn commit_pc(&mut self) {
        self.pc = self.next_pc;
    }

    fn memory(&self) -> &CkbMemory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut CkbMemory {
        &mut self.memory
    }

    fn registers(&self) -> &[u64] {
        &self.registers
    }

    fn set_register(&mut self, index: usize, value: u64) {
        self.registers[index] = value;
    }

    fn version(&self) -> u32 {
        VERSION2
    }

    fn isa(&self) -> u8 {
        ISA_IMC
    }
}

impl Machine for CkbMachine {
    fn ecall(&mut self) -> Result<(), Error> {
        self.was_called = true;
        Ok(())
    }

    fn ebreak(&mut self) -> Result<(), Error> {
        Err(Error::Pause)
    }
}
