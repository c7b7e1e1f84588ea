//! Instructions: operations, classes, fields and their assembler text.

use core::fmt;

/// An RV64IM operation, named as in the specification.
#[allow(missing_docs, reason = "the specification's names")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[rustfmt::skip]
pub enum Op {
    Lui, Auipc, Jal, Jalr,
    Beq, Bne, Blt, Bge, Bltu, Bgeu,
    Lb, Lh, Lw, Ld, Lbu, Lhu, Lwu,
    Sb, Sh, Sw, Sd,
    Addi, Slti, Sltiu, Xori, Ori, Andi, Slli, Srli, Srai,
    Addiw, Slliw, Srliw, Sraiw,
    Add, Sub, Sll, Slt, Sltu, Xor, Srl, Sra, Or, And,
    Addw, Subw, Sllw, Srlw, Sraw,
    Mul, Mulh, Mulhsu, Mulhu, Div, Divu, Rem, Remu,
    Mulw, Divw, Divuw, Remw, Remuw,
    Fence, Ecall, Ebreak,
}

impl Op {
    /// Every operation.
    #[rustfmt::skip]
    pub const ALL: [Self; 65] = {
        use Op::*;
        [
            Lui, Auipc, Jal, Jalr, Beq, Bne, Blt, Bge, Bltu, Bgeu, Lb, Lh, Lw, Ld, Lbu, Lhu, Lwu, Sb, Sh, Sw, Sd,
            Addi, Slti, Sltiu, Xori, Ori, Andi, Slli, Srli, Srai, Addiw, Slliw, Srliw, Sraiw,
            Add, Sub, Sll, Slt, Sltu, Xor, Srl, Sra, Or, And, Addw, Subw, Sllw, Srlw, Sraw,
            Mul, Mulh, Mulhsu, Mulhu, Div, Divu, Rem, Remu, Mulw, Divw, Divuw, Remw, Remuw,
            Fence, Ecall, Ebreak,
        ]
    };

    /// The operation's class.
    #[rustfmt::skip]
    pub const fn class(self) -> Class {
        use Op::*;
        match self {
            Lui | Auipc => Class::Upper,
            Jal | Jalr => Class::Jump,
            Beq | Bne | Blt | Bge | Bltu | Bgeu => Class::Branch,
            Lb | Lh | Lw | Ld | Lbu | Lhu | Lwu => Class::Load,
            Sb | Sh | Sw | Sd => Class::Store,
            Mul | Mulh | Mulhsu | Mulhu | Mulw => Class::Mul,
            Div | Divu | Rem | Remu | Divw | Divuw | Remw | Remuw => Class::Div,
            Fence => Class::Fence,
            Ecall | Ebreak => Class::Ecall,
            _ => Class::Alu,
        }
    }

    /// Whether the second operand is the immediate.
    #[inline(always)]
    pub const fn has_immediate(self) -> bool {
        (self as u8) < Self::Add as u8
    }

    /// Number of bytes that a load or store accesses; 0 for all others.
    #[inline(always)]
    pub const fn access_bytes(self) -> u64 {
        match self {
            Self::Lb | Self::Lbu | Self::Sb => 1,
            Self::Lh | Self::Lhu | Self::Sh => 2,
            Self::Lw | Self::Lwu | Self::Sw => 4,
            Self::Ld | Self::Sd => 8,
            _ => 0,
        }
    }
}

/// Classes of instructions, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Additions, logic, comparisons, shifts.
    Alu,
    /// Multiplications.
    Mul,
    /// Divisions and remainders.
    Div,
    /// Loads.
    Load,
    /// Stores.
    Store,
    /// Conditional branches.
    Branch,
    /// `jal` and `jalr`.
    Jump,
    /// `lui` and `auipc`.
    Upper,
    /// `ecall` and `ebreak`.
    Ecall,
    /// `fence`.
    Fence,
}

impl Class {
    /// Every class, in printing order.
    pub const ALL: [Self; 10] = [
        Self::Alu,
        Self::Mul,
        Self::Div,
        Self::Load,
        Self::Store,
        Self::Branch,
        Self::Jump,
        Self::Upper,
        Self::Ecall,
        Self::Fence,
    ];

    /// The class's name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alu => "alu",
            Self::Mul => "mul",
            Self::Div => "div",
            Self::Load => "load",
            Self::Store => "store",
            Self::Branch => "branch",
            Self::Jump => "jump",
            Self::Upper => "upper",
            Self::Ecall => "ecall",
            Self::Fence => "fence",
        }
    }
}

/// A decoded instruction. Fields that its format does not have are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// The operation.
    pub op: Op,
    /// Number of the destination register.
    pub rd: u8,
    /// Number of the first source register.
    pub rs1: u8,
    /// Number of the second source register.
    pub rs2: u8,
    /// The immediate, sign-extended. For `lui` and `auipc` it is already shifted; for branches and
    /// `jal` it is in bytes.
    pub imm: i32,
}

impl Instruction {
    /// The immediate as a 64-bit operand.
    #[inline(always)]
    pub const fn imm64(&self) -> u64 {
        (self.imm as i64).cast_unsigned()
    }
}

/// Register names of the calling convention.
#[rustfmt::skip]
pub const REGISTER_NAMES: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
    "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
];

/// Assembler text without pseudo-instructions.
impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("{:?}", self.op).to_lowercase();
        let [rd, rs1, rs2] =
            [self.rd, self.rs1, self.rs2].map(|number| REGISTER_NAMES[usize::from(number & 31)]);
        let imm = self.imm;
        match self.op {
            Op::Lui | Op::Auipc => write!(f, "{name} {rd}, {:#x}", imm.cast_unsigned() >> 12),
            Op::Jal => write!(f, "{name} {rd}, {imm}"),
            Op::Jalr => write!(f, "{name} {rd}, {imm}({rs1})"),
            Op::Fence | Op::Ecall | Op::Ebreak => f.write_str(&name),
            op => match op.class() {
                Class::Branch => write!(f, "{name} {rs1}, {rs2}, {imm}"),
                Class::Load => write!(f, "{name} {rd}, {imm}({rs1})"),
                Class::Store => write!(f, "{name} {rs2}, {imm}({rs1})"),
                _ if op.has_immediate() => write!(f, "{name} {rd}, {rs1}, {imm}"),
                _ => write!(f, "{name} {rd}, {rs1}, {rs2}"),
            },
        }
    }
}
