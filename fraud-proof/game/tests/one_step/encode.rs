//! Encodes RV64IM instructions by the specification's tables.

use turnpike_random::Rng;

/// An instruction's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    R,
    I,
    /// Shift with a distance of this many bits.
    Shift(u32),
    S,
    B,
    U,
    J,
    /// No fields: all bits are fixed.
    Fixed,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Template {
    pub(crate) name: &'static str,
    pub(crate) format: Format,
    /// The fixed bits.
    pub(crate) bits: u32,
}

const fn template(
    name: &'static str,
    format: Format,
    opcode: u32,
    funct3: u32,
    funct7: u32,
) -> Template {
    Template { name, format, bits: opcode | funct3 << 12 | funct7 << 25 }
}

#[rustfmt::skip]
pub(crate) const TEMPLATES: [Template; 66] = {
    use Format::{B, Fixed, I, J, R, S, Shift, U};
    [
        template("lui", U, 0x37, 0, 0), template("auipc", U, 0x17, 0, 0),
        template("jal", J, 0x6f, 0, 0), template("jalr", I, 0x67, 0, 0),
        template("beq", B, 0x63, 0, 0), template("bne", B, 0x63, 1, 0), template("blt", B, 0x63, 4, 0),
        template("bge", B, 0x63, 5, 0), template("bltu", B, 0x63, 6, 0), template("bgeu", B, 0x63, 7, 0),
        template("lb", I, 0x03, 0, 0), template("lh", I, 0x03, 1, 0), template("lw", I, 0x03, 2, 0),
        template("ld", I, 0x03, 3, 0), template("lbu", I, 0x03, 4, 0), template("lhu", I, 0x03, 5, 0),
        template("lwu", I, 0x03, 6, 0),
        template("sb", S, 0x23, 0, 0), template("sh", S, 0x23, 1, 0), template("sw", S, 0x23, 2, 0),
        template("sd", S, 0x23, 3, 0),
        template("addi", I, 0x13, 0, 0), template("slti", I, 0x13, 2, 0), template("sltiu", I, 0x13, 3, 0),
        template("xori", I, 0x13, 4, 0), template("ori", I, 0x13, 6, 0), template("andi", I, 0x13, 7, 0),
        template("slli", Shift(6), 0x13, 1, 0), template("srli", Shift(6), 0x13, 5, 0),
        template("srai", Shift(6), 0x13, 5, 0x20),
        template("addiw", I, 0x1b, 0, 0), template("slliw", Shift(5), 0x1b, 1, 0),
        template("srliw", Shift(5), 0x1b, 5, 0), template("sraiw", Shift(5), 0x1b, 5, 0x20),
        template("add", R, 0x33, 0, 0), template("sub", R, 0x33, 0, 0x20), template("sll", R, 0x33, 1, 0),
        template("slt", R, 0x33, 2, 0), template("sltu", R, 0x33, 3, 0), template("xor", R, 0x33, 4, 0),
        template("srl", R, 0x33, 5, 0), template("sra", R, 0x33, 5, 0x20), template("or", R, 0x33, 6, 0),
        template("and", R, 0x33, 7, 0),
        template("addw", R, 0x3b, 0, 0), template("subw", R, 0x3b, 0, 0x20), template("sllw", R, 0x3b, 1, 0),
        template("srlw", R, 0x3b, 5, 0), template("sraw", R, 0x3b, 5, 0x20),
        template("mul", R, 0x33, 0, 1), template("mulh", R, 0x33, 1, 1), template("mulhsu", R, 0x33, 2, 1),
        template("mulhu", R, 0x33, 3, 1), template("div", R, 0x33, 4, 1), template("divu", R, 0x33, 5, 1),
        template("rem", R, 0x33, 6, 1), template("remu", R, 0x33, 7, 1),
        template("mulw", R, 0x3b, 0, 1), template("divw", R, 0x3b, 4, 1), template("divuw", R, 0x3b, 5, 1),
        template("remw", R, 0x3b, 6, 1), template("remuw", R, 0x3b, 7, 1),
        template("fence", I, 0x0f, 0, 0), template("ecall", Fixed, 0x73, 0, 0),
        template("ebreak", Fixed, 0x0010_0073, 0, 0), template("fence.i", I, 0x0f, 1, 0),
    ]
};

/// The variable fields. Each is cut to its width. Fields that the format lacks are ignored.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields {
    pub(crate) rd: u32,
    pub(crate) rs1: u32,
    pub(crate) rs2: u32,
    pub(crate) imm: i32,
}

impl Template {
    pub(crate) const fn encode(&self, fields: Fields) -> u32 {
        let rd = (fields.rd & 31) << 7;
        let rs1 = (fields.rs1 & 31) << 15;
        let rs2 = (fields.rs2 & 31) << 20;
        let imm = fields.imm.cast_unsigned();
        self.bits
            | match self.format {
                Format::R => rd | rs1 | rs2,
                Format::I => rd | rs1 | imm << 20,
                Format::Shift(bits) => rd | rs1 | (imm & ((1 << bits) - 1)) << 20,
                Format::S => (imm & 31) << 7 | rs1 | rs2 | (imm >> 5) << 25,
                Format::B => {
                    let low = ((imm >> 1) & 15) << 8 | ((imm >> 11) & 1) << 7;
                    low | rs1 | rs2 | ((imm >> 5) & 63) << 25 | ((imm >> 12) & 1) << 31
                }
                Format::U => rd | imm & 0xffff_f000,
                Format::J => {
                    let low = imm & 0xf_f000 | ((imm >> 11) & 1) << 20 | ((imm >> 1) & 0x3ff) << 21;
                    rd | low | ((imm >> 20) & 1) << 31
                }
                Format::Fixed => 0,
            }
    }
}

/// A random word: usually an instruction, sometimes with one wrong bit, with only a valid opcode,
/// or without a valid opcode.
pub(crate) fn random_word(rng: &mut Rng) -> u32 {
    let template = rng.pick(&TEMPLATES);
    let mut register = || if rng.percent(15) { 0 } else { rng.word() & 31 };
    let (rd, rs1, rs2) = (register(), register(), register());
    let imm = random_immediate(rng);
    let word = template.encode(Fields { rd, rs1, rs2, imm });
    match rng.below(100) {
        0..85 => word,
        85..93 => word ^ 1 << rng.below(32),
        93..98 => rng.word() & !0x7f | template.bits & 0x7f,
        _ => rng.word(),
    }
}

fn random_immediate(rng: &mut Rng) -> i32 {
    match rng.below(4) {
        0 => rng.pick(&[
            0,
            1,
            -1,
            2,
            4,
            8,
            -4,
            31,
            32,
            63,
            2047,
            -2048,
            4094,
            -4096,
            i32::MAX,
            i32::MIN,
        ]),
        1 => rng.word().cast_signed() >> rng.below(32),
        _ => rng.word().cast_signed(),
    }
}
