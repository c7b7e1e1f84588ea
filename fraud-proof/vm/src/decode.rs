//! Decodes RV64IM instruction words.

use crate::instruction::{Instruction, Op};

/// The only legal words with the opcode SYSTEM.
const ECALL: u32 = 0x0000_0073;
const EBREAK: u32 = 0x0010_0073;

/// Decodes an instruction word; `None` if it is not RV64IM.
pub const fn decode(word: u32) -> Option<Instruction> {
    let signed = word.cast_signed();
    let funct3 = (word >> 12) & 7;
    let imm_i = signed >> 20;
    match word & 0x7f {
        0x37 => some(upper(word, Op::Lui)),
        0x17 => some(upper(word, Op::Auipc)),
        0x6f => some(Instruction { imm: imm_j(word), ..with(word, Op::Jal, RD) }),
        0x67 if funct3 == 0 => some(Instruction { imm: imm_i, ..with(word, Op::Jalr, RD | RS1) }),
        0x63 => match branch(funct3) {
            Some(op) => some(Instruction { imm: imm_b(word), ..with(word, op, RS1 | RS2) }),
            None => None,
        },
        0x03 => match load(funct3) {
            Some(op) => some(Instruction { imm: imm_i, ..with(word, op, RD | RS1) }),
            None => None,
        },
        0x23 => match store(funct3) {
            Some(op) => some(Instruction { imm: imm_s(word), ..with(word, op, RS1 | RS2) }),
            None => None,
        },
        0x13 | 0x1b => match immediate(word, funct3) {
            Some((op, imm)) => some(Instruction { imm, ..with(word, op, RD | RS1) }),
            None => None,
        },
        0x33 | 0x3b => match register(word, funct3) {
            Some(op) => some(with(word, op, RD | RS1 | RS2)),
            None => None,
        },
        0x0f if funct3 == 0 => some(with(word, Op::Fence, 0)),
        0x73 if word == ECALL => some(with(word, Op::Ecall, 0)),
        0x73 if word == EBREAK => some(with(word, Op::Ebreak, 0)),
        _ => None,
    }
}

const fn some(instruction: Instruction) -> Option<Instruction> {
    Some(instruction)
}

const RD: u8 = 1;
const RS1: u8 = 2;
const RS2: u8 = 4;

/// An instruction with the registers that its format has.
const fn with(word: u32, op: Op, registers: u8) -> Instruction {
    const fn register(word: u32, at: u32, there: bool) -> u8 {
        if there { (word >> at).to_le_bytes()[0] & 31 } else { 0 }
    }
    Instruction {
        op,
        rd: register(word, 7, registers & RD != 0),
        rs1: register(word, 15, registers & RS1 != 0),
        rs2: register(word, 20, registers & RS2 != 0),
        imm: 0,
    }
}

const fn upper(word: u32, op: Op) -> Instruction {
    Instruction { imm: (word & 0xffff_f000).cast_signed(), ..with(word, op, RD) }
}

const fn imm_s(word: u32) -> i32 {
    let high = (word.cast_signed() >> 25) << 5;
    high | ((word >> 7) & 0x1f).cast_signed()
}

const fn imm_b(word: u32) -> i32 {
    let sign = (word.cast_signed() >> 31) << 12;
    let rest =
        (((word >> 7) & 1) << 11) | (((word >> 25) & 0x3f) << 5) | (((word >> 8) & 0xf) << 1);
    sign | rest.cast_signed()
}

const fn imm_j(word: u32) -> i32 {
    let sign = (word.cast_signed() >> 31) << 20;
    let rest = (word & 0x000f_f000) | (((word >> 20) & 1) << 11) | (((word >> 21) & 0x3ff) << 1);
    sign | rest.cast_signed()
}

const fn branch(funct3: u32) -> Option<Op> {
    Some(match funct3 {
        0 => Op::Beq,
        1 => Op::Bne,
        4 => Op::Blt,
        5 => Op::Bge,
        6 => Op::Bltu,
        7 => Op::Bgeu,
        _ => return None,
    })
}

const fn load(funct3: u32) -> Option<Op> {
    Some(match funct3 {
        0 => Op::Lb,
        1 => Op::Lh,
        2 => Op::Lw,
        3 => Op::Ld,
        4 => Op::Lbu,
        5 => Op::Lhu,
        6 => Op::Lwu,
        _ => return None,
    })
}

const fn store(funct3: u32) -> Option<Op> {
    Some(match funct3 {
        0 => Op::Sb,
        1 => Op::Sh,
        2 => Op::Sw,
        3 => Op::Sd,
        _ => return None,
    })
}

/// An instruction with a register and an immediate. Shifts have a shorter immediate.
const fn immediate(word: u32, funct3: u32) -> Option<(Op, i32)> {
    let imm = word.cast_signed() >> 20;
    let is_word_form = word & 8 != 0;
    let (shamt, above) = if is_word_form { (imm & 31, word >> 25) } else { (imm & 63, word >> 26) };
    let arithmetic = if is_word_form { 0x20 } else { 0x10 };
    Some(match (is_word_form, funct3) {
        (false, 0) => (Op::Addi, imm),
        (false, 1) if above == 0 => (Op::Slli, shamt),
        (false, 2) => (Op::Slti, imm),
        (false, 3) => (Op::Sltiu, imm),
        (false, 4) => (Op::Xori, imm),
        (false, 5) if above == 0 => (Op::Srli, shamt),
        (false, 5) if above == arithmetic => (Op::Srai, shamt),
        (false, 6) => (Op::Ori, imm),
        (false, 7) => (Op::Andi, imm),
        (true, 0) => (Op::Addiw, imm),
        (true, 1) if above == 0 => (Op::Slliw, shamt),
        (true, 5) if above == 0 => (Op::Srliw, shamt),
        (true, 5) if above == arithmetic => (Op::Sraiw, shamt),
        _ => return None,
    })
}

/// An instruction with two registers.
const fn register(word: u32, funct3: u32) -> Option<Op> {
    let is_word_form = word & 8 != 0;
    Some(match (is_word_form, word >> 25, funct3) {
        (false, 0x00, 0) => Op::Add,
        (false, 0x20, 0) => Op::Sub,
        (false, 0x00, 1) => Op::Sll,
        (false, 0x00, 2) => Op::Slt,
        (false, 0x00, 3) => Op::Sltu,
        (false, 0x00, 4) => Op::Xor,
        (false, 0x00, 5) => Op::Srl,
        (false, 0x20, 5) => Op::Sra,
        (false, 0x00, 6) => Op::Or,
        (false, 0x00, 7) => Op::And,
        (false, 0x01, 0) => Op::Mul,
        (false, 0x01, 1) => Op::Mulh,
        (false, 0x01, 2) => Op::Mulhsu,
        (false, 0x01, 3) => Op::Mulhu,
        (false, 0x01, 4) => Op::Div,
        (false, 0x01, 5) => Op::Divu,
        (false, 0x01, 6) => Op::Rem,
        (false, 0x01, 7) => Op::Remu,
        (true, 0x00, 0) => Op::Addw,
        (true, 0x20, 0) => Op::Subw,
        (true, 0x00, 1) => Op::Sllw,
        (true, 0x00, 5) => Op::Srlw,
        (true, 0x20, 5) => Op::Sraw,
        (true, 0x01, 0) => Op::Mulw,
        (true, 0x01, 4) => Op::Divw,
        (true, 0x01, 5) => Op::Divuw,
        (true, 0x01, 6) => Op::Remw,
        (true, 0x01, 7) => Op::Remuw,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::instruction::Class;

    /// A random instruction within its format's registers and immediates.
    fn instruction() -> impl Strategy<Value = Instruction> {
        let op = prop::sample::select(Op::ALL.as_slice());
        (op, 0..32_u8, 0..32_u8, 0..32_u8, any::<i32>()).prop_map(|(op, rd, rs1, rs2, imm)| {
            let (rd, rs1, rs2, imm) = match op {
                Op::Lui | Op::Auipc => (rd, 0, 0, imm & !0xfff),
                Op::Jal => (rd, 0, 0, imm << 12 >> 11),
                Op::Jalr => (rd, rs1, 0, imm >> 20),
                Op::Fence | Op::Ecall | Op::Ebreak => (0, 0, 0, 0),
                Op::Slli | Op::Srli | Op::Srai => (rd, rs1, 0, imm & 63),
                Op::Slliw | Op::Srliw | Op::Sraiw => (rd, rs1, 0, imm & 31),
                op => match op.class() {
                    Class::Branch => (0, rs1, rs2, imm >> 20 << 1),
                    Class::Store => (0, rs1, rs2, imm >> 20),
                    _ if op.has_immediate() => (rd, rs1, 0, imm >> 20),
                    _ => (rd, rs1, rs2, 0),
                },
            };
            Instruction { op, rd, rs1, rs2, imm }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn decodes_what_was_encoded(instruction in instruction()) {
            prop_assert_eq!(decode(instruction.encode()), Some(instruction));
        }

        #[test]
        fn encodes_what_was_decoded(word: u32) {
            if let Some(instruction) = decode(word).filter(|instruction| instruction.op != Op::Fence) {
                prop_assert_eq!(instruction.encode(), word);
            }
        }
    }

    /// Words from an assembler.
    #[test]
    fn disassembles_what_was_assembled() {
        let words = [
            (0x0000_0013, "addi zero, zero, 0"),
            (0xff01_0113, "addi sp, sp, -16"),
            (0x41f5_d593, "srai a1, a1, 31"),
            (0x0015_959b, "slliw a1, a1, 1"),
            (0x40b5_053b, "subw a0, a0, a1"),
            (0x02b5_753b, "remuw a0, a0, a1"),
            (0x0005_6503, "lwu a0, 0(a0)"),
            (0x00b5_3023, "sd a1, 0(a0)"),
            (0xfeb5_3c23, "sd a1, -8(a0)"),
            (0x00b5_0463, "beq a0, a1, 8"),
            (0xfe05_1ee3, "bne a0, zero, -4"),
            (0x0000_8067, "jalr zero, 0(ra)"),
            (0xffdf_f0ef, "jal ra, -4"),
            (0x8000_0537, "lui a0, 0x80000"),
            (0x0ff0_000f, "fence"),
            (0x0000_0073, "ecall"),
            (0x0010_0073, "ebreak"),
        ];
        for (word, text) in words {
            let instruction = decode(word).expect("RV64IM");
            assert_eq!(instruction.to_string(), text, "{word:#010x}");
        }
    }
}
