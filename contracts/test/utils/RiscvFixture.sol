// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { RiscvStep } from "../../src/L1/RiscvStep.sol";
import { IPreimageOracle, LocalInputs } from "../../src/interfaces/IPreimageOracle.sol";
import { RiscvMemory } from "../../src/lib/RiscvMemory.sol";
import { Test } from "./Test.sol";

/// @notice A state of the machine. RiscvStep takes it encoded.
struct Machine {
    bytes32 memoryRoot;
    uint64 pc;
    uint64[32] registers;
    bool exited;
    uint64 exitCode;
    uint64 step;
}

/// @title RiscvFixture
/// @notice A machine with its memory, and helpers that run a step of it on L1.
abstract contract RiscvFixture is Test {
    uint256 private constant LEVELS = 27;
    IPreimageOracle internal constant ORACLE = IPreimageOracle(address(0x0Ac1e));

    RiscvStep internal riscv;
    Machine internal machine;
    LocalInputs internal local;

    /// @dev Nodes of the memory's tree that differ from empty memory, by level from the leaves up.
    mapping(uint256 level => mapping(uint256 index => bytes32)) private _nodes;
    bytes32[LEVELS + 1] private _emptyNodes;

    function setUp() public virtual {
        riscv = new RiscvStep(ORACLE);
        for (uint256 level; level < LEVELS; ++level) {
            _emptyNodes[level + 1] = keccak256(abi.encode(_emptyNodes[level], _emptyNodes[level]));
        }
        machine.memoryRoot = _emptyNodes[LEVELS];
        machine.step = 7;
    }

    /// @dev Writes little-endian bytes.
    function write(uint64 location, uint256 size, uint64 value) internal {
        uint256 index = location / 32;
        _nodes[0][index] = RiscvMemory.store(node(0, index), location, size, value);
        for (uint256 level; level < LEVELS; ++level) {
            index /= 2;
            _nodes[level + 1][index] =
                keccak256(abi.encode(node(level, 2 * index), node(level, 2 * index + 1)));
        }
        machine.memoryRoot = node(LEVELS, 0);
    }

    /// @dev Writes the instruction at the program counter.
    function next(uint32 word) internal {
        write(machine.pc, 4, word);
    }

    /// @dev The leaf that holds `location`, and its siblings from the bottom up.
    function path(uint64 location) internal view returns (bytes memory proof) {
        uint256 index = location / 32;
        proof = abi.encode(node(0, index));
        for (uint256 level; level < LEVELS; ++level) {
            proof = abi.encodePacked(proof, node(level, index ^ 1));
            index /= 2;
        }
    }

    function encode(Machine memory state) internal pure returns (bytes memory encoded) {
        encoded = abi.encodePacked(state.memoryRoot, state.pc);
        for (uint256 i = 1; i < 32; ++i) {
            encoded = abi.encodePacked(encoded, state.registers[i]);
        }
        encoded = abi.encodePacked(encoded, state.exited, state.exitCode, state.step);
    }

    function step(bytes memory proof) internal view returns (bytes32) {
        return riscv.step(encode(machine), proof, local);
    }

    /// @dev Runs the step and expects `expected` with one more step counted.
    function stepTo(bytes memory proof, Machine memory expected) internal view {
        expected.step = machine.step + 1;
        vm.assertEq(step(proof), keccak256(encode(expected)));
    }

    /// @dev Runs the step and expects that the machine halts and nothing else changes.
    function stepExits(bytes memory proof, uint64 code) internal view {
        Machine memory expected = machine;
        expected.exited = true;
        expected.exitCode = code;
        stepTo(proof, expected);
    }

    function node(uint256 level, uint256 index) private view returns (bytes32 found) {
        found = _nodes[level][index];
        if (found == 0) found = _emptyNodes[level];
    }
}
