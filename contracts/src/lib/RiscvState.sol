// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { LibBit } from "solady/utils/LibBit.sol";

/// @title RiscvState
/// @notice Reads and changes the encoded state of the proof machine. IRiscvStep describes the layout.
/// @dev A field is accessed through the 32 bytes that end at its end. No field ends before byte 32, so these
///      bytes are within the encoding. The caller has checked that the encoding has BYTES bytes.
library RiscvState {
    /// @dev Bytes of a state.
    uint256 internal constant BYTES = 305;

    // Offsets at which fields end.
    uint256 private constant MEMORY_ROOT_END = 32;
    uint256 private constant PC_END = 40;
    uint256 private constant EXITED_END = 289;
    uint256 private constant EXIT_CODE_END = 297;
    uint256 private constant STEP_END = 305;

    uint256 private constant REGISTER_BYTES = 8;
    uint64 private constant RUNNING = 0;
    uint64 private constant EXITED = 1;

    /// @dev Whether the encoding is canonical, so that no two encodings have the same meaning.
    function isCanonical(bytes memory self) internal pure returns (bool) {
        uint8 flag = uint8(_field(self, EXITED_END));
        return flag == EXITED || (flag == RUNNING && _field(self, EXIT_CODE_END) == 0);
    }

    function exited(bytes memory self) internal pure returns (bool) {
        return uint8(_field(self, EXITED_END)) != RUNNING;
    }

    function exitCode(bytes memory self) internal pure returns (uint64) {
        return _field(self, EXIT_CODE_END);
    }

    /// @dev The output root that the proof program leaves in a1 to a4, in little-endian order.
    function outputRoot(bytes memory self) internal pure returns (bytes32) {
        uint256 reversed = uint256(register(self, 11)) | uint256(register(self, 12)) << 64
            | uint256(register(self, 13)) << 128 | uint256(register(self, 14)) << 192;
        return bytes32(LibBit.reverseBytes(reversed));
    }

    function memoryRoot(bytes memory self) internal pure returns (bytes32 root) {
        assembly ("memory-safe") {
            root := mload(add(self, MEMORY_ROOT_END))
        }
    }

    function pc(bytes memory self) internal pure returns (uint64) {
        return _field(self, PC_END);
    }

    /// @dev Register `index`, below 32. x0 is zero.
    function register(bytes memory self, uint256 index) internal pure returns (uint64) {
        return index == 0 ? 0 : _field(self, PC_END + index * REGISTER_BYTES);
    }

    function setMemoryRoot(bytes memory self, bytes32 root) internal pure {
        assembly ("memory-safe") {
            mstore(add(self, MEMORY_ROOT_END), root)
        }
    }

    function setPc(bytes memory self, uint64 value) internal pure {
        _setField(self, PC_END, value);
    }

    /// @dev Writes register `index`, below 32. x0 stays zero.
    function setRegister(bytes memory self, uint256 index, uint64 value) internal pure {
        if (index != 0) _setField(self, PC_END + index * REGISTER_BYTES, value);
    }

    function exit(bytes memory self, uint64 code) internal pure {
        self[EXITED_END - 1] = bytes1(uint8(EXITED));
        _setField(self, EXIT_CODE_END, code);
    }

    function countStep(bytes memory self) internal pure {
        unchecked {
            _setField(self, STEP_END, _field(self, STEP_END) + 1);
        }
    }

    /// @dev The 8 bytes that end at `end`.
    function _field(bytes memory self, uint256 end) private pure returns (uint64 value) {
        assembly ("memory-safe") {
            value := and(mload(add(self, end)), 0xffffffffffffffff)
        }
    }

    function _setField(bytes memory self, uint256 end, uint64 value) private pure {
        assembly ("memory-safe") {
            let at := add(self, end)
            mstore(at, or(shl(64, shr(64, mload(at))), and(value, 0xffffffffffffffff)))
        }
    }
}
