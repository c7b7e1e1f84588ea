// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IInbox } from "../interfaces/IInbox.sol";
import { IPrograms, Program, ProgramsConfig } from "./interfaces/IPrograms.sol";
import { IRollupV2 } from "./interfaces/IRollupV2.sol";
import { ITournament } from "./interfaces/ITournament.sol";

/// @title Programs
/// @notice The programs that judge blocks, and the escape; see IPrograms.
contract Programs is IPrograms {
    /// @inheritdoc IPrograms
    IRollupV2 public immutable rollup;
    /// @inheritdoc IPrograms
    address public immutable admin;
    /// @inheritdoc IPrograms
    uint64 public immutable notice;
    /// @inheritdoc IPrograms
    uint64 public immutable escapeAfter;

    Program[] private _programs;
    bytes32 private _announced;
    uint64 private _announcedFrom;

    constructor(IRollupV2 rollup_, bytes32 initialState, ProgramsConfig memory config) {
        bool works = rollup_.programs() == address(this) && initialState != 0;
        if (config.admin != address(0)) {
            works = works && config.escapeAfter != 0 && _timeToLeave(rollup_) < config.notice;
        }
        if (!works) revert Programs_BadConfig();
        rollup = rollup_;
        admin = config.admin;
        notice = config.notice;
        escapeAfter = config.escapeAfter;
        _activate(initialState, 0);
    }

    /// @inheritdoc IPrograms
    function announce(bytes32 initialState) external {
        if (msg.sender != admin) revert Programs_NotAdmin(msg.sender);
        _announced = initialState;
        _announcedFrom = initialState == 0 ? 0 : uint64(block.timestamp) + notice;
        emit ProgramAnnounced(initialState, _announcedFrom);
    }

    /// @inheritdoc IPrograms
    function activate() external {
        _activate(_takeAnnounced(), rollup.inbox().entryCount());
    }

    /// @inheritdoc IPrograms
    function escape() external {
        uint64 from = rollup.lastFinalAt() + escapeAfter;
        if (block.timestamp < from) revert Programs_NoEscape(from);
        uint64 finalEntry = rollup.output(rollup.lastFinalIndex()).entry;
        _activate(_takeAnnounced(), finalEntry + 1);
        rollup.openGeneration();
    }

    /// @inheritdoc IPrograms
    /// @dev Takes a step for each program that was activated after the entry, of which each took a notice.
    function initialStateOf(uint64 entry) external view returns (bytes32) {
        uint256 number = _programs.length - 1;
        while (_programs[number].fromEntry > entry) --number;
        return _programs[number].initialState;
    }

    /// @inheritdoc IPrograms
    function programCount() external view returns (uint256) {
        return _programs.length;
    }

    /// @inheritdoc IPrograms
    function programAt(uint256 number) external view returns (Program memory) {
        return _programs[number];
    }

    /// @inheritdoc IPrograms
    function announced() external view returns (bytes32 initialState, uint64 from) {
        return (_announced, _announcedFrom);
    }

    function _takeAnnounced() private returns (bytes32 initialState) {
        initialState = _announced;
        if (initialState == 0) revert Programs_NothingAnnounced();
        if (block.timestamp < _announcedFrom) revert Programs_NoticeNotOver(_announcedFrom);
        (_announced, _announcedFrom) = (0, 0);
    }

    function _activate(bytes32 initialState, uint64 fromEntry) private {
        emit ProgramActivated(_programs.length, initialState, fromEntry);
        _programs.push(Program({ fromEntry: fromEntry, initialState: initialState }));
    }

    /// @dev The longest that a user needs to leave: a forced entry, an output after it, its tournament, a pause.
    function _timeToLeave(IRollupV2 rollup_) private view returns (uint256) {
        IInbox inbox = rollup_.inbox();
        uint256 decided = ITournament(rollup_.tournament()).twoRoundsSecondsMax();
        return inbox.forceWindow() + rollup_.outputInterval() + decided + inbox.portal().pauseMax();
    }
}
