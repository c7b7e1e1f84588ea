//! Results of instructions. The step function and the fast interpreter share these functions.

use crate::{
    bits::{high, low, sign_extend, sign_extend_word},
    instruction::Op,
};

/// The result of an instruction that neither accesses memory nor jumps. `b` is the second register
/// or the immediate. `None` for all other instructions.
#[inline(always)]
pub(crate) fn compute(op: Op, a: u64, b: u64) -> Option<u64> {
    let (sa, sb) = (a.cast_signed(), b.cast_signed());
    Some(match op {
        Op::Lui => b,
        Op::Addi | Op::Add => a.wrapping_add(b),
        Op::Slti | Op::Slt => u64::from(sa < sb),
        Op::Sltiu | Op::Sltu => u64::from(a < b),
        Op::Xori | Op::Xor => a ^ b,
        Op::Ori | Op::Or => a | b,
        Op::Andi | Op::And => a & b,
        Op::Slli | Op::Sll => a.wrapping_shl(low(b)),
        Op::Srli | Op::Srl => a.wrapping_shr(low(b)),
        Op::Srai | Op::Sra => sa.wrapping_shr(low(b)).cast_unsigned(),
        Op::Sub => a.wrapping_sub(b),
        Op::Mul => a.wrapping_mul(b),
        Op::Mulh => high((i128::from(sa) * i128::from(sb)).cast_unsigned()),
        Op::Mulhsu => high((i128::from(sa) * i128::from(b)).cast_unsigned()),
        Op::Mulhu => high(u128::from(a) * u128::from(b)),
        Op::Div if b == 0 => u64::MAX,
        Op::Div => sa.wrapping_div(sb).cast_unsigned(),
        Op::Divu => a.checked_div(b).unwrap_or(u64::MAX),
        Op::Rem if b == 0 => a,
        Op::Rem => sa.wrapping_rem(sb).cast_unsigned(),
        Op::Remu => a.checked_rem(b).unwrap_or(a),
        _ => sign_extend_word(compute_word(op, low(a), low(b))?),
    })
}

/// The result of a 32-bit form, before sign extension.
#[inline(always)]
fn compute_word(op: Op, a: u32, b: u32) -> Option<u32> {
    let (sa, sb) = (a.cast_signed(), b.cast_signed());
    Some(match op {
        Op::Addiw | Op::Addw => a.wrapping_add(b),
        Op::Subw => a.wrapping_sub(b),
        Op::Slliw | Op::Sllw => a.wrapping_shl(b),
        Op::Srliw | Op::Srlw => a.wrapping_shr(b),
        Op::Sraiw | Op::Sraw => sa.wrapping_shr(b).cast_unsigned(),
        Op::Mulw => a.wrapping_mul(b),
        Op::Divw if b == 0 => u32::MAX,
        Op::Divw => sa.wrapping_div(sb).cast_unsigned(),
        Op::Divuw => a.checked_div(b).unwrap_or(u32::MAX),
        Op::Remw if b == 0 => a,
        Op::Remw => sa.wrapping_rem(sb).cast_unsigned(),
        Op::Remuw => a.checked_rem(b).unwrap_or(a),
        _ => return None,
    })
}

/// Whether a branch is taken; `None` for all other instructions.
#[inline(always)]
pub(crate) fn is_taken(op: Op, a: u64, b: u64) -> Option<bool> {
    Some(match op {
        Op::Beq => a == b,
        Op::Bne => a != b,
        Op::Blt => a.cast_signed() < b.cast_signed(),
        Op::Bge => a.cast_signed() >= b.cast_signed(),
        Op::Bltu => a < b,
        Op::Bgeu => a >= b,
        _ => return None,
    })
}

/// The register value of a load that read the zero-extended `value`; `None` for all other
/// instructions.
#[inline(always)]
pub(crate) fn extend(op: Op, value: u64) -> Option<u64> {
    Some(match op {
        Op::Lb => sign_extend(value, 1),
        Op::Lh => sign_extend(value, 2),
        Op::Lw => sign_extend(value, 4),
        Op::Ld | Op::Lbu | Op::Lhu | Op::Lwu => value,
        _ => return None,
    })
}
