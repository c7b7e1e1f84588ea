// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Entry } from "../../../src/interfaces/IInbox.sol";
import { IPreimageOracle, LocalInputs } from "../../../src/interfaces/IPreimageOracle.sol";
import { IRiscvStep } from "../../../src/interfaces/IRiscvStep.sol";

/// @title TimedInbox
/// @notice An inbox whose entries have the times that a test sets. It is its own portal.
contract TimedInbox {
    bytes32 public constant chainConfigHash = keccak256("chain configuration");
    uint64 public constant forceWindow = 1 hours;
    uint64 public constant pauseMax = 1 days;

    bytes32[] private _accs;
    Entry[] private _entries;

    constructor() {
        append(uint64(block.timestamp));
    }

    function append(uint64 time) public {
        Entry memory entry;
        entry.index = uint64(_entries.length);
        entry.l1Time = time;
        bytes32 before = entry.index == 0 ? chainConfigHash : _accs[entry.index - 1];
        _entries.push(entry);
        _accs.push(keccak256(abi.encode(before, entry)));
    }

    function acc(uint64 index) external view returns (bytes32) {
        return _accs[index];
    }

    function entryAt(uint64 index) external view returns (Entry memory) {
        return _entries[index];
    }

    function entryCount() external view returns (uint64) {
        return uint64(_accs.length);
    }

    function portal() external view returns (TimedInbox) {
        return this;
    }
}

/// @title FakeRun
/// @notice A made-up chain and machine: every block of every entry has an output root, and the machine reaches it in
///         HALTED_AT steps. A block can be set to fail. Each state is computed without the states before it.
contract FakeRun is IRiscvStep {
    uint64 public constant HALTED_AT = 5000;
    uint256 private constant STATE_BYTES = 305;
    uint256 private constant EXITED_AT = 288;

    IPreimageOracle public constant oracle = IPreimageOracle(address(0));
    uint64 private immutable _blocksPerEntry;
    mapping(bytes32 acc => bytes32 root) private _rootAfter;
    mapping(bytes32 acc => mapping(uint64 blockIndex => uint64 code)) private _exitCode;

    constructor(uint64 blocksPerEntry) {
        _blocksPerEntry = blocksPerEntry;
    }

    /// @dev Sets the output root after the entry with this accumulator.
    function set(bytes32 acc, bytes32 root) external {
        _rootAfter[acc] = root;
    }

    /// @dev Makes the program exit with a code on a block.
    function fail(bytes32 acc, uint64 blockIndex, uint64 code) external {
        _exitCode[acc][blockIndex] = code;
    }

    /// @dev The true output root after a block, on top of `before`.
    function rootAfter(bytes32 acc, uint64 blockIndex, bytes32 before) public view returns (bytes32) {
        if (_exitCode[acc][blockIndex] != 0) return before;
        if (blockIndex + 1 == _blocksPerEntry && _rootAfter[acc] != 0) return _rootAfter[acc];
        return keccak256(abi.encode("root", acc, blockIndex));
    }

    /// @dev The true state after `steps` steps, at least 1.
    function stateAt(LocalInputs memory local, uint64 steps) public view returns (bytes memory) {
        if (steps < HALTED_AT) return encode(keccak256(abi.encode(local, steps)), 0, false, 0, steps);
        uint64 code = _exitCode[local.inboxAcc][local.blockIndex];
        bytes32 root = rootAfter(local.inboxAcc, local.blockIndex, keccak256("garbage"));
        return encode(keccak256(abi.encode(local)), root, true, code, HALTED_AT);
    }

    /// @inheritdoc IRiscvStep
    function step(bytes calldata state, bytes calldata, LocalInputs calldata local)
        external
        view
        returns (bytes32)
    {
        if (state[EXITED_AT] != 0) return keccak256(state);
        return keccak256(stateAt(local, uint64(bytes8(state[STATE_BYTES - 8:])) + 1));
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
