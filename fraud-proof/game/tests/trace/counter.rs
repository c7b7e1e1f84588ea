//! A program for the machine whose length a test chooses. It reads preimages and memory, and writes
//! memory.

use turnpike_vm::{Instruction, Op};

/// Address of the first instruction.
const ENTRY: u64 = 0x1_0000;

/// Number of steps before the loop, per round of the loop, and after it.
const STEPS: [u64; 3] = [9, 8, 8];

const ECALL: Instruction = instruction(Op::Ecall, 0, 0, 0, 0);

const fn instruction(op: Op, rd: u8, rs1: u8, rs2: u8, imm: i32) -> Instruction {
    Instruction { op, rd, rs1, rs2, imm }
}

/// The program reads the agreed output root and counts up to `rounds`, a multiple of 4096, in 8 MiB
/// of memory. Its result is the root with the number added to the first eight bytes.
pub(crate) fn counter(rounds: i32) -> Vec<u8> {
    let words = [
        // Store the key of the output root.
        instruction(Op::Addi, 10, 0, 0, 1),
        instruction(Op::Addi, 13, 0, 0, 1),
        instruction(Op::Slli, 13, 13, 0, 56),
        instruction(Op::Addi, 17, 0, 0, 1000),
        ECALL,
        instruction(Op::Lui, 7, 0, 0, rounds),
        instruction(Op::Lui, 6, 0, 0, 0x1000_0000),
        instruction(Op::Addi, 5, 0, 0, 0),
        instruction(Op::Addi, 9, 0, 0, 0),
        // The loop.
        instruction(Op::Addi, 5, 5, 0, 1),
        instruction(Op::Slli, 8, 5, 0, 44),
        instruction(Op::Srli, 8, 8, 0, 41),
        instruction(Op::Add, 8, 8, 6, 0),
        instruction(Op::Ld, 9, 8, 0, 0),
        instruction(Op::Add, 9, 9, 5, 0),
        instruction(Op::Sd, 0, 8, 9, 0),
        instruction(Op::Bne, 0, 5, 7, -28),
        // The end.
        instruction(Op::Addi, 14, 13, 0, 0),
        instruction(Op::Addi, 13, 12, 0, 0),
        instruction(Op::Addi, 12, 11, 0, 0),
        instruction(Op::Add, 11, 10, 5, 0),
        instruction(Op::Addi, 10, 0, 0, 0),
        instruction(Op::Addi, 17, 0, 0, 93),
        instruction(Op::Fence, 0, 0, 0, 0),
        ECALL,
    ];
    elf(&words.iter().flat_map(|word| word.encode().to_le_bytes()).collect::<Vec<_>>())
}

/// The number of steps that the program takes.
pub(crate) fn counter_steps(rounds: i32) -> u64 {
    let [before, round, after] = STEPS;
    before + round * u64::try_from(rounds).expect("rounds are not negative") + after
}

/// A static executable of one segment.
fn elf(code: &[u8]) -> Vec<u8> {
    const HEADERS_BYTES: u64 = 64 + 56;
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for half in [2_u16, 243] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    file.extend_from_slice(&1_u32.to_le_bytes());
    for word in [ENTRY, 64, 0] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(&[0; 4]);
    for half in [64_u16, 56, 1, 0, 0, 0] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    for half in [1_u32, 7] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    let bytes = code.len() as u64;
    for word in [HEADERS_BYTES, ENTRY, ENTRY, bytes, bytes, 4096] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(code);
    file
}
