// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { PreimageOracle } from "../../src/L1/PreimageOracle.sol";
import { RiscvStep } from "../../src/L1/RiscvStep.sol";
import { IRiscvStep } from "../../src/interfaces/IRiscvStep.sol";
import { Belief, DisputeFixture } from "./DisputeFixture.sol";
import { Machine, RiscvFixture } from "./RiscvFixture.sol";

/// @title DisputeMachineFixture
/// @notice Disputes over a step that the real step contract runs with the real oracle. Only the states before
///         and after the step, `machine` and `expected`, are those of a machine. All other claims are made
///         up.
abstract contract DisputeMachineFixture is DisputeFixture, RiscvFixture {
    uint64 internal constant PC = 0x10000;
    uint256 internal constant A0 = 10;
    uint32 internal constant ECALL = 0x00000073;
    /// @dev The disputed step.
    uint64 internal constant STEP = 7;

    PreimageOracle internal oracle;
    Machine internal expected;
    bytes internal proof;

    function setUp() public virtual override(DisputeFixture, RiscvFixture) {
        RiscvFixture.setUp();
        DisputeFixture.setUp();
        machine.pc = PC;
        machine.step = STEP;
    }

    /// @dev The position before the disputed block.
    function disputedBlock() internal pure virtual returns (uint64);

    function stepper() internal override returns (IRiscvStep) {
        oracle = new PreimageOracle();
        return new RiscvStep(oracle);
    }

    function stepProof() internal view override returns (bytes memory) {
        return proof;
    }

    function stateAt(Belief memory belief, uint256 index, uint64 position, bytes32 agreedRoot, uint64 steps)
        internal
        view
        override
        returns (bytes memory)
    {
        if (position == disputedBlock() && steps == STEP) return encode(machine);
        bool isNext = position == disputedBlock() && steps == STEP + 1 && belief.fromBlock == 0;
        return isNext ? encode(expected) : super.stateAt(belief, index, position, agreedRoot, steps);
    }

    /// @dev Sets `expected` to `machine` after one more instruction.
    function expectNext() internal {
        proof = path(PC);
        expected = machine;
        expected.pc += 4;
        expected.step += 1;
    }

    /// @dev Lets the step read `word` at an offset of a preimage of `length` bytes.
    function reads(bytes32 key, uint64 offset, bytes32 word, uint64 length) internal {
        next(ECALL);
        machine.registers[17] = 1000;
        setWord(key, offset);
        Machine memory asked = machine;
        setWord(word, length);
        expectNext();
        machine = asked;
    }

    /// @dev Lets the step read the third word of a preimage.
    function readsPreimage(bytes memory preimage) internal returns (bytes32 key, uint64 offset) {
        key = bytes32(uint256(keccak256(preimage)) & type(uint248).max | 2 << 248);
        offset = 64;
        bytes32 word;
        assembly ("memory-safe") {
            word := mload(add(preimage, 0x60))
        }
        reads(key, offset, word, uint64(preimage.length));
    }

    /// @dev a0 to a3, in little-endian order, and a4.
    function setWord(bytes32 word, uint64 fourth) private {
        for (uint256 i; i < 4; ++i) {
            machine.registers[A0 + i] = 0;
        }
        for (uint256 i; i < 32; ++i) {
            machine.registers[A0 + i / 8] |= uint64(uint8(word[i])) << uint64(8 * (i % 8));
        }
        machine.registers[A0 + 4] = fourth;
    }
}
