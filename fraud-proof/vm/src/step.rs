//! One step of the machine, as L1 takes it. This is the machine's definition: the fast interpreter
//! has to equal it.
//!
//! The step function is total. A machine that cannot continue exits with a [`Trap`]'s code. Only a
//! read that the host's oracle cannot answer returns an error, and then nothing has changed.

use std::fmt;

use alloy_primitives::B256;
use thiserror::Error;
use turnpike_protocol::{ORACLE_WORD_BYTES, Oracle, is_oracle_key};

use crate::{
    bits::low,
    compute::{compute, extend, is_taken},
    cpu::{Cpu, Registers},
    decode::decode,
    instruction::{Class, Instruction, Op},
    memory::{MEMORY_BYTES, Memory},
};

/// Why a machine stopped. The exit code is 128 plus the number of the signal that Linux would send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// Not an RV64IM instruction (SIGILL).
    IllegalInstruction = 132,
    /// `ebreak` (SIGTRAP).
    Breakpoint = 133,
    /// A misaligned instruction or access (SIGBUS).
    Misaligned = 135,
    /// An instruction or access past the end of memory (SIGSEGV).
    OutOfRange = 139,
    /// An unknown `ecall`, or an oracle read with an invalid key or offset (SIGSYS).
    BadCall = 159,
}

impl Trap {
    /// Every trap.
    pub const ALL: [Self; 5] = [
        Self::IllegalInstruction,
        Self::Breakpoint,
        Self::Misaligned,
        Self::OutOfRange,
        Self::BadCall,
    ];

    /// The machine's exit code.
    pub const fn code(self) -> u64 {
        self as u64
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IllegalInstruction => "not an RV64IM instruction",
            Self::Breakpoint => "breakpoint",
            Self::Misaligned => "misaligned address",
            Self::OutOfRange => "address not within the memory of 2^32 bytes",
            Self::BadCall => {
                "ecall that the machine does not have, or a read that no oracle answers"
            }
        })
    }
}

/// `ecall` number (`a7`) of the exit.
pub(crate) const EXIT: u64 = 93;
/// `ecall` number (`a7`) of an oracle read.
pub(crate) const READ_ORACLE: u64 = 1000;

/// Argument registers of the calling convention.
const A0: u8 = 10;
const A4: u8 = 14;
const A7: u8 = 17;

/// The oracle lacks what the program reads. The machine has not moved, and continues once the
/// oracle has the preimage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the program reads at {offset} behind key {key}, which the oracle does not have")]
pub struct MissingPreimage {
    /// Key of the read.
    pub key: B256,
    /// Offset of the read in bytes.
    pub offset: u64,
}

/// Why there is no next instruction.
enum Stop {
    /// The machine exits.
    Exit(u64),
    Missing(MissingPreimage),
}

impl From<Trap> for Stop {
    fn from(trap: Trap) -> Self {
        Self::Exit(trap.code())
    }
}

/// Address of a store to a watched page.
pub(crate) type WatchedStore = Option<u64>;

/// Takes one step. Returns the address of a store to a watched page.
pub(crate) fn step(
    cpu: &mut Cpu,
    memory: &mut Memory,
    oracle: &mut impl Oracle,
) -> Result<WatchedStore, MissingPreimage> {
    if cpu.exit.is_some() {
        return Ok(None);
    }
    let mut watched = None;
    match execute(cpu, memory, oracle, &mut watched) {
        Ok(pc) => cpu.pc = pc,
        Err(Stop::Exit(code)) => cpu.exit = Some(code),
        Err(Stop::Missing(missing)) => return Err(missing),
    }
    cpu.step = cpu.step.wrapping_add(1);
    Ok(watched)
}

/// Decodes the next instruction.
pub(crate) fn fetch(pc: u64, memory: &Memory) -> Result<Instruction, Trap> {
    check_access(pc, 4)?;
    decode(low(memory.load(pc, 4))).ok_or(Trap::IllegalInstruction)
}

/// Checks alignment and range of an access.
pub(crate) const fn check_access(address: u64, bytes: u64) -> Result<(), Trap> {
    if !address.is_multiple_of(bytes) {
        return Err(Trap::Misaligned);
    }
    if address >= MEMORY_BYTES {
        return Err(Trap::OutOfRange);
    }
    Ok(())
}

/// Executes one instruction and returns the address of the next. On an error nothing has changed.
fn execute(
    cpu: &mut Cpu,
    memory: &mut Memory,
    oracle: &mut impl Oracle,
    watched: &mut WatchedStore,
) -> Result<u64, Stop> {
    let instruction = fetch(cpu.pc, memory)?;
    let Instruction { op, rd, rs1, rs2, .. } = instruction;
    let x = &mut cpu.registers;
    let (a, b, imm) = (x.get(rs1), x.get(rs2), instruction.imm64());
    let next = cpu.pc.wrapping_add(4);
    match op.class() {
        Class::Upper if op == Op::Auipc => x.set(rd, cpu.pc.wrapping_add(imm)),
        Class::Jump => {
            x.set(rd, next);
            let target = if op == Op::Jal { cpu.pc } else { a }.wrapping_add(imm);
            // The specification clears bit 0 for `jalr`; for `jal` it is zero already.
            return Ok(target & !1);
        }
        Class::Branch if is_taken(op, a, b) == Some(true) => return Ok(cpu.pc.wrapping_add(imm)),
        Class::Branch | Class::Fence => {}
        Class::Load => {
            let (address, bytes) = (a.wrapping_add(imm), op.access_bytes());
            check_access(address, bytes)?;
            x.set(rd, extend(op, memory.load(address, bytes)).expect("invariant: a load"));
        }
        Class::Store => {
            let (address, bytes) = (a.wrapping_add(imm), op.access_bytes());
            check_access(address, bytes)?;
            *watched = memory.store(address, bytes, b).then_some(address);
        }
        Class::Ecall if op == Op::Ebreak => return Err(Trap::Breakpoint.into()),
        Class::Ecall => call(x, oracle)?,
        Class::Upper | Class::Alu | Class::Mul | Class::Div => {
            let b = if op.has_immediate() { imm } else { b };
            x.set(rd, compute(op, a, b).expect("invariant: a computation"));
        }
    }
    Ok(next)
}

fn call(x: &mut Registers, oracle: &mut impl Oracle) -> Result<(), Stop> {
    match x.get(A7) {
        EXIT => return Err(Stop::Exit(x.get(A0))),
        READ_ORACLE => {}
        _ => return Err(Trap::BadCall.into()),
    }
    let (key, offset) = oracle_read(x).ok_or(Trap::BadCall)?;
    let answer = oracle.read(&key, offset).ok_or(Stop::Missing(MissingPreimage { key, offset }))?;
    for (register, bytes) in (A0..).zip(answer.word.as_chunks().0) {
        x.set(register, u64::from_le_bytes(*bytes));
    }
    x.set(A4, answer.len);
    Ok(())
}

/// Key and offset in the registers of a `READ_ORACLE`; `None` if they are invalid.
pub(crate) fn oracle_read(x: &Registers) -> Option<(B256, u64)> {
    let mut key = B256::ZERO;
    for (register, bytes) in (A0..).zip(key.as_chunks_mut().0) {
        *bytes = x.get(register).to_le_bytes();
    }
    let offset = x.get(A4);
    (offset.is_multiple_of(ORACLE_WORD_BYTES as u64) && is_oracle_key(&key))
        .then_some((key, offset))
}

/// Key and offset of the oracle read in the next step, if it reads.
pub(crate) fn next_oracle_read(cpu: &Cpu, memory: &Memory) -> Option<(B256, u64)> {
    let calls = fetch(cpu.pc, memory).is_ok_and(|instruction| instruction.op == Op::Ecall);
    (cpu.exit.is_none() && calls && cpu.registers.get(A7) == READ_ORACLE)
        .then(|| oracle_read(&cpu.registers))?
}

/// Why the machine stopped, if it did not exit by a call.
pub(crate) fn trap(cpu: &Cpu, memory: &Memory) -> Option<Trap> {
    let code = cpu.exit?;
    let exited = fetch(cpu.pc, memory).is_ok_and(|instruction| instruction.op == Op::Ecall)
        && cpu.registers.get(A7) == EXIT;
    if exited { None } else { Trap::ALL.into_iter().find(|trap| trap.code() == code) }
}
