// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IPreimageOracle, LocalInputs } from "../../src/interfaces/IPreimageOracle.sol";
import { IRiscvStep } from "../../src/interfaces/IRiscvStep.sol";

/// @title FakeMachine
/// @notice A made-up chain and machine: every block of every entry has an output root, and the machine
///         reaches it in HALTED_AT steps. A block can be set to fail. Each state is computed without the states before it.
contract FakeMachine is IRiscvStep {
    /// @notice Steps of the machine for any block.
    uint64 public constant HALTED_AT = 5000;
    uint256 private constant STATE_BYTES = 305;
    uint256 private constant EXITED_AT = 288;

    IPreimageOracle public constant oracle = IPreimageOracle(address(0));
    uint64 private immutable _blocksPerEntry;
    mapping(bytes32 acc => bytes32 root) private _rootAfter;
    /// @notice The program's exit code on a block.
    mapping(bytes32 acc => mapping(uint64 blockIndex => uint64 code)) public exitCode;

    constructor(uint64 blocksPerEntry) {
        _blocksPerEntry = blocksPerEntry;
    }

    /// @dev Sets the output root after the entry with this accumulator.
    function set(bytes32 acc, bytes32 root) external {
        _rootAfter[acc] = root;
    }

    /// @dev Makes the program exit with a code on a block.
    function fail(bytes32 acc, uint64 blockIndex, uint64 code) external {
        exitCode[acc][blockIndex] = code;
    }

    /// @dev The output root that the program computes for a block.
    function rootAfter(bytes32 acc, uint64 blockIndex) public view returns (bytes32) {
        if (blockIndex + 1 == _blocksPerEntry && _rootAfter[acc] != 0) return _rootAfter[acc];
        return keccak256(abi.encode("root", acc, blockIndex));
    }

    /// @dev The true state after `steps` steps, at least 1.
    function stateAt(LocalInputs memory local, uint64 steps) public view returns (bytes memory) {
        if (steps < HALTED_AT) return encode(keccak256(abi.encode(local, steps)), 0, false, 0, steps);
        bytes32 root = rootAfter(local.inboxAcc, local.blockIndex);
        uint64 code = exitCode[local.inboxAcc][local.blockIndex];
        return encode(keccak256(abi.encode(local)), root, true, code, HALTED_AT);
    }

    /// @inheritdoc IRiscvStep
    function step(bytes calldata state, bytes calldata proof, LocalInputs calldata local)
        external
        view
        returns (bytes32)
    {
        if (state.length != STATE_BYTES) revert RiscvStep_WrongStateLength(STATE_BYTES, state.length);
        if (proof.length != 0) revert RiscvStep_WrongProofLength(0, proof.length);
        if (state[EXITED_AT] != 0) return keccak256(state);
        uint64 steps = uint64(bytes8(state[STATE_BYTES - 8:]));
        return keccak256(stateAt(local, steps + 1));
    }

    /// @dev A state with `root` in a1 to a4, as the machine leaves it there.
    function encode(bytes32 memoryRoot, bytes32 root, bool exited, uint64 code, uint64 steps)
        public
        pure
        returns (bytes memory)
    {
        bytes memory registers = new bytes(32);
        for (uint256 i; i < 32; ++i) {
            registers[i ^ 7] = root[i];
        }
        bytes memory head = abi.encodePacked(memoryRoot, uint64(0), new bytes(80), registers);
        return abi.encodePacked(head, new bytes(136), exited, code, steps);
    }
}
