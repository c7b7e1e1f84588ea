// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title RiscvAlu
/// @notice Arithmetic of RV64IM on two operands, selected by funct3 and funct7. It is modulo 2^64. Solidity's
///         fixed-width types wrap, extend and shift as the machine does.
library RiscvAlu {
    /// @dev funct7 of the base operations, of subtraction and arithmetic shift, and of multiplication and
    ///      division.
    uint256 internal constant BASE = 0;
    uint256 internal constant ALTERNATE = 0x20;
    uint256 internal constant MULTIPLY = 1;

    uint64 private constant SHIFT_MASK = 63;
    uint32 private constant SHIFT_MASK_32 = 31;
    uint64 private constant ALL_ONES = type(uint64).max;

    /// @notice The result on 64 bits, and whether the operation exists.
    function operate(uint256 funct3, uint256 funct7, uint64 a, uint64 b)
        internal
        pure
        returns (bool exists, uint64 result)
    {
        if (funct7 == BASE) return (true, _base(funct3, a, b));
        if (funct7 == MULTIPLY) return (true, _multiply(funct3, a, b));
        if (funct7 != ALTERNATE) return (false, 0);
        unchecked {
            if (funct3 == 0) return (true, a - b); // sub
        }
        if (funct3 == 5) return (true, uint64(int64(a) >> (b & SHIFT_MASK))); // sra
    }

    /// @notice The sign-extended result on the low 32 bits of the operands, and whether the operation exists.
    function operate32(uint256 funct3, uint256 funct7, uint64 a64, uint64 b64)
        internal
        pure
        returns (bool exists, uint64 result)
    {
        (uint32 a, uint32 b) = (uint32(a64), uint32(b64));
        unchecked {
            if (funct7 == BASE) {
                if (funct3 == 0) return (true, _extend(a + b)); // addw
                if (funct3 == 1) return (true, _extend(a << (b & SHIFT_MASK_32))); // sllw
                if (funct3 == 5) return (true, _extend(a >> (b & SHIFT_MASK_32))); // srlw
            } else if (funct7 == ALTERNATE) {
                if (funct3 == 0) return (true, _extend(a - b)); // subw
                if (funct3 == 5) return (true, uint64(int64(int32(a) >> (b & SHIFT_MASK_32)))); // sraw
            } else if (funct7 == MULTIPLY) {
                if (funct3 == 0) return (true, _extend(a * b)); // mulw
                if (funct3 >= 4) return (true, _extend(_divide32(funct3, a, b)));
            }
        }
    }

    function _base(uint256 funct3, uint64 a, uint64 b) private pure returns (uint64) {
        unchecked {
            if (funct3 == 0) return a + b; // add
            if (funct3 == 1) return a << (b & SHIFT_MASK); // sll
            if (funct3 == 2) return int64(a) < int64(b) ? 1 : 0; // slt
            if (funct3 == 3) return a < b ? 1 : 0; // sltu
            if (funct3 == 4) return a ^ b; // xor
            if (funct3 == 5) return a >> (b & SHIFT_MASK); // srl
            if (funct3 == 6) return a | b; // or
            return a & b; // and
        }
    }

    function _multiply(uint256 funct3, uint64 a, uint64 b) private pure returns (uint64) {
        // Every product fits in 129 bits, sign included.
        unchecked {
            if (funct3 == 0) return a * b; // mul
            if (funct3 == 1) return _high(int256(int64(a)) * int256(int64(b))); // mulh
            if (funct3 == 2) return _high(int256(int64(a)) * int256(uint256(b))); // mulhsu
            if (funct3 == 3) return uint64((uint256(a) * b) >> 64); // mulhu
            if (funct3 == 4) return b == 0 ? ALL_ONES : uint64(int64(a) / int64(b)); // div
            if (funct3 == 5) return b == 0 ? ALL_ONES : a / b; // divu
            if (funct3 == 6) return b == 0 ? a : uint64(int64(a) % int64(b)); // rem
            return b == 0 ? a : a % b; // remu
        }
    }

    function _divide32(uint256 funct3, uint32 a, uint32 b) private pure returns (uint32) {
        unchecked {
            if (funct3 == 4) return b == 0 ? uint32(ALL_ONES) : uint32(int32(a) / int32(b)); // divw
            if (funct3 == 5) return b == 0 ? uint32(ALL_ONES) : a / b; // divuw
            if (funct3 == 6) return b == 0 ? a : uint32(int32(a) % int32(b)); // remw
            return b == 0 ? a : a % b; // remuw
        }
    }

    function _high(int256 product) private pure returns (uint64) {
        return uint64(uint256(product >> 64));
    }

    function _extend(uint32 value) private pure returns (uint64) {
        return uint64(int64(int32(value)));
    }
}
