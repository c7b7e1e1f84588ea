//! Hand-written programs for the machine.
#![allow(dead_code, reason = "not every suite writes every kind of program")]

use turnpike_protocol::{LocalInputs, Preimages};
use turnpike_vm::{Image, Instruction, Machine, Op};

/// Entry point of the programs.
pub(crate) const ENTRY: u64 = 0x1_0000;

pub(crate) const fn register(op: Op, rd: u8, rs1: u8, rs2: u8) -> u32 {
    Instruction { op, rd, rs1, rs2, imm: 0 }.encode()
}

/// Also `lui`, `auipc`, `jal`, `jalr` and loads.
pub(crate) const fn immediate(op: Op, rd: u8, rs1: u8, imm: i32) -> u32 {
    Instruction { op, rd, rs1, rs2: 0, imm }.encode()
}

/// Branches and stores.
pub(crate) const fn pair(op: Op, rs1: u8, rs2: u8, imm: i32) -> u32 {
    Instruction { op, rd: 0, rs1, rs2, imm }.encode()
}

pub(crate) const ECALL: u32 = 0x73;

/// `li a7, 93; ecall`.
pub(crate) const EXIT: [u32; 2] = [immediate(Op::Addi, 17, 0, 93), ECALL];

pub(crate) fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A machine with these instructions at [`ENTRY`].
pub(crate) fn machine(words: &[u32]) -> Machine {
    let bytes = bytes(words);
    let image =
        Image::new(ENTRY).and_then(|image| image.with_segment(ENTRY, &bytes, bytes.len() as u64));
    Machine::new(&image.expect("a program"))
}

/// An oracle with local inputs of zeros only.
pub(crate) const fn no_oracle() -> Preimages {
    Preimages::new(LocalInputs {
        chain_config: alloy_primitives::B256::ZERO,
        output_root: alloy_primitives::B256::ZERO,
        inbox_acc: alloy_primitives::B256::ZERO,
        block_index: 0,
        data_missing: false,
    })
}

/// Steps a machine to its end with the step function.
pub(crate) fn step_to_exit(machine: &mut Machine, steps_max: u64) -> Option<u64> {
    let mut oracle = no_oracle();
    while machine.exit().is_none() && machine.steps() < steps_max {
        machine.step(&mut oracle).expect("no oracle is read");
    }
    machine.exit()
}
