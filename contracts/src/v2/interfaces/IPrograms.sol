// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IRollupV2 } from "./IRollupV2.sol";

/// @notice A program: the machine's initial state with it, and the first entry whose blocks it judges.
struct Program {
    uint64 fromEntry;
    bytes32 initialState;
}

/// @notice Parameters of the programs, fixed at deployment. Times are in seconds.
struct ProgramsConfig {
    /// The account that may announce programs; zero for none. Then there is no escape either.
    address admin;
    /// From a program's announcement to its activation: long enough that whoever does not want it leaves before.
    uint64 notice;
    /// Without a final output for so long, an announced program may take over from the last final output on.
    uint64 escapeAfter;
}

/// @title IPrograms
/// @notice The programs that judge blocks. A block's program is the last one in list order whose first entry is not after
///         the block's entry. A new program needs a notice and judges only entries after its activation.
///
///         **Escape.** L1 may lose the ability to show a step, for example if it removes a precompile. Then no output becomes
///         final any more. After escapeAfter, an announced program may take over at the first entry after the last final
///         output. All outputs that are not final become void; bonds and stakes go back.
interface IPrograms {
    /// @notice The configuration is invalid, the notice is too short to leave before a program takes over, or the rollup has
    ///         other programs.
    error Programs_BadConfig();
    /// @notice The caller may not announce programs.
    error Programs_NotAdmin(address caller);
    /// @notice No program is announced.
    error Programs_NothingAnnounced();
    /// @notice The announced program may not take over yet.
    error Programs_NoticeNotOver(uint64 from);
    /// @notice An output became final too recently.
    error Programs_NoEscape(uint64 from);

    /// @notice A program was announced; it may take over from this L1 time on. A zero state takes an announcement back.
    event ProgramAnnounced(bytes32 indexed initialState, uint64 from);

    /// @notice A program judges the blocks of entries from `fromEntry` on.
    event ProgramActivated(uint256 indexed number, bytes32 indexed initialState, uint64 fromEntry);

    /// @notice Announces a program. Only for admin(). Announcing again replaces what was announced and restarts the notice;
    ///         announcing zero takes it back.
    function announce(bytes32 initialState) external;

    /// @notice Lets the announced program judge all entries that the inbox does not hold yet. Anyone may call it once the
    ///         notice is over.
    function activate() external;

    /// @notice Lets the announced program judge all entries after the last final output, and opens a new generation there.
    ///         Anyone may call it once the notice is over and no output has become final for escapeAfter().
    function escape() external;

    /// @notice The machine's initial state with the program that judges an entry.
    function initialStateOf(uint64 entry) external view returns (bytes32);

    /// @notice Number of programs, and the program with a number.
    function programCount() external view returns (uint256);
    function programAt(uint256 number) external view returns (Program memory);

    /// @notice What is announced, and the L1 time from which it may take over; zeros for nothing.
    function announced() external view returns (bytes32 initialState, uint64 from);

    /// @notice The outputs.
    function rollup() external view returns (IRollupV2);

    /// @notice The account that may announce programs; zero for none.
    function admin() external view returns (address);

    /// @notice Seconds from a program's announcement to its activation.
    function notice() external view returns (uint64);

    /// @notice Seconds without a final output after which an escape is possible.
    function escapeAfter() external view returns (uint64);
}
