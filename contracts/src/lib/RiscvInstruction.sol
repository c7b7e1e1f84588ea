// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Instruction
/// @notice A word of RISC-V code.
///
///      | bits   | field  | of formats | immediates, from the highest bit                                |
///      |--------|--------|------------|-----------------------------------------------------------------|
///      | 31…25  | funct7 | R          | I: 31…20. S: 31…25, 11…7. B: 31, 7, 30…25, 11…8, then a zero.   |
///      | 24…20  | rs2    | R S B      | U: 31…12, then 12 zeros. J: 31, 19…12, 20, 30…21, then a zero.  |
///      | 19…15  | rs1    | R I S B    | All are signed.                                                 |
///      | 14…12  | funct3 | R I S B    |                                                                 |
///      | 11…7   | rd     | R I U J    |                                                                 |
///      | 6…0    | opcode | all        |                                                                 |
type Instruction is uint32;

using {
    opcode,
    rd,
    funct3,
    rs1,
    rs2,
    funct7,
    immediateI,
    immediateS,
    immediateB,
    immediateU,
    immediateJ
} for Instruction global;

function opcode(Instruction self) pure returns (uint256) {
    return Instruction.unwrap(self) & 0x7f;
}

function rd(Instruction self) pure returns (uint256) {
    return (Instruction.unwrap(self) >> 7) & 0x1f;
}

function funct3(Instruction self) pure returns (uint256) {
    return (Instruction.unwrap(self) >> 12) & 7;
}

function rs1(Instruction self) pure returns (uint256) {
    return (Instruction.unwrap(self) >> 15) & 0x1f;
}

function rs2(Instruction self) pure returns (uint256) {
    return (Instruction.unwrap(self) >> 20) & 0x1f;
}

function funct7(Instruction self) pure returns (uint256) {
    return Instruction.unwrap(self) >> 25;
}

function immediateI(Instruction self) pure returns (uint64) {
    return _extend(int32(Instruction.unwrap(self)) >> 20);
}

function immediateS(Instruction self) pure returns (uint64) {
    uint32 word = Instruction.unwrap(self);
    return _extend((int32(word) >> 25) << 5) | ((word >> 7) & 0x1f);
}

function immediateB(Instruction self) pure returns (uint64) {
    uint32 word = Instruction.unwrap(self);
    uint32 low = (((word >> 7) & 1) << 11) | (((word >> 25) & 0x3f) << 5) | (((word >> 8) & 0xf) << 1);
    return _extend((int32(word) >> 31) << 12) | low;
}

function immediateU(Instruction self) pure returns (uint64) {
    return _extend(int32(Instruction.unwrap(self) & 0xfffff000));
}

function immediateJ(Instruction self) pure returns (uint64) {
    uint32 word = Instruction.unwrap(self);
    uint32 low = (word & 0xff000) | (((word >> 20) & 1) << 11) | (((word >> 21) & 0x3ff) << 1);
    return _extend((int32(word) >> 31) << 20) | low;
}

function _extend(int32 value) pure returns (uint64) {
    return uint64(int64(value));
}
