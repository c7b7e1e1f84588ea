// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Entry } from "../../../src/interfaces/IInbox.sol";

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
