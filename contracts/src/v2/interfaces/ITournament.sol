// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Path } from "../lib/HistoryLib.sol";
import { Progress } from "../lib/TimelineLib.sol";
import { IDisputeV2 } from "./IDisputeV2.sol";
import { IRollupV2 } from "./IRollupV2.sol";

/// @notice Who revealed a node's children first, and when.
struct Reveal {
    address by;
    /// L1 time in seconds; zero if nobody has.
    uint64 time;
}

/// @notice What the reveals along a path say of two rivals.
struct MatchReveals {
    uint256 tournament;
    Progress progress;
    /// Since when the next step is due, and what the clocks have left, in seconds.
    uint256 from;
    uint256 leftX;
    uint256 leftY;
    /// Who is paid if that side wins: who revealed its last node on the path, else its proposer.
    address revealerX;
    address revealerY;
    /// Depth of both histories, and blocks of the range. The leaves from `positions` on repeat the last block's.
    uint256 depth;
    uint256 positions;
}

/// @notice Parameters of tournaments, fixed at deployment.
struct TournamentConfig {
    /// Members of a group, at most: a power of two from 2 to 128.
    uint64 groupSize;
    /// Seconds that a side has at least for its next move; not zero.
    uint64 gameIncrement;
}

/// @title ITournament
/// @notice Decides which child of an output is right. Children meet in groups of groupSize(), everybody against everybody;
///         the last one of each group that stands goes to the next round. A child needs no owner: all that has to be said
///         for it follows from it, and anyone may say it.
///
///         **Match.** x is the child with the lower seat. Both sides reveal the children of their nodes at depths 0, 6, 12,
///         … above the first leaf in which they differ. Then y's side accuses (see IDisputeV2). The timeline follows from
///         the times of these reveals alone: with c = what each side's clock has left,
///
///             t = max(x.since, y.since)
///             for each depth:  limit_s = t + max(gameIncrement, c_s)      e_s = max(t, revealedAt(node_s))
///                              e_s > limit_s: s failed at limit_s          (both: the earlier limit; equal: y)
///                              c_s -= e_s - t (not below 0);  t = max(e_x, e_y)
///             y has to accuse by t + max(gameIncrement, c_y)
///
///         Leaves past the range's blocks repeat the last block's. Of two children that differ first there, one at least does
///         not repeat it; y's side has the time of an accusation to show which.
interface ITournament {
    /// @notice The configuration is invalid, or its disputes may outlast blob data, or the rollup has another tournament.
    error Tournament_BadConfig();
    /// @notice The caller is not the dispute contract.
    error Tournament_NotDispute(address caller);
    /// @notice The node's children were revealed before.
    error Tournament_AlreadyRevealed(bytes32 node, address by);
    /// @notice The two outputs are not x and y of one group.
    error Tournament_NotRivals(uint256 x, uint256 y);
    /// @notice The output is rejected, final or void.
    error Tournament_NotStanding(uint256 index);
    /// @notice Neither of the two has failed.
    error Tournament_MatchOpen(uint256 x, uint256 y);
    /// @notice y's side may accuse until then.
    error Tournament_AccusationOpen(uint256 x, uint256 y, uint256 endsAt);
    /// @notice y's side has accused: the dispute contract decides.
    error Tournament_Accused(uint256 x, uint256 y);
    /// @notice The leaf is not past the blocks.
    error Tournament_WrongLeaf(uint256 leaf, uint256 positions);
    /// @notice The window for rivals is still open.
    error Tournament_WindowOpen(uint256 endsAt);
    /// @notice The tournament has a winner.
    error Tournament_Decided(uint256 tournament, uint256 winner);
    /// @notice Not all members of the group have arrived, or more than one of them stands.
    error Tournament_GroupOpen(uint256 members, uint256 arrived, uint256 standing);

    /// @notice Children were revealed: `children.length` = 2^width of them below `node`.
    event Revealed(bytes32 indexed node, uint256 indexed width, address indexed by, bytes32[] children);

    /// @notice Reveals 2 to 64 nodes, a power of two, that have a common ancestor so many levels above them. The first
    ///         caller counts.
    function reveal(bytes32[] calldata children) external;

    /// @notice Rejects the one of two rivals that did not reveal in time; or y, if nobody has accused in time, or called
    ///         padded() where the leaf is past the blocks. Anyone may call it and is paid.
    /// @param path The path to the first difference at a depth whose nodes are revealed, or at a leaf.
    function timeOut(uint256 x, uint256 y, Path calldata path) external;

    /// @notice Rejects one of two rivals whose reveals are complete and that differ first past the blocks: x if y repeats
    ///         the leaf before, else y. Anyone may call it and is paid.
    /// @dev WARNING: y's side has to call it in time, as it has to accuse: nobody else may have the leaf before.
    /// @param path The path to the leaf.
    /// @param before The leaf before it, the same in both, and its siblings in x's history.
    function padded(
        uint256 x,
        uint256 y,
        Path calldata path,
        bytes32 before,
        bytes32[] calldata beforeSiblings
    ) external;

    /// @notice Moves the last member of a complete group to the next round; in a round of one group, it wins the
    ///         tournament. Anyone may call it, once the window for rivals is over.
    function promote(uint256 index) external;

    /// @notice Rejects an output that lost a match. Only for the dispute contract.
    function eliminate(uint256 index, address revealer, address ender) external;

    /// @notice Reverts unless both outputs stand and are x and y of one group.
    /// @return tournament Their tournament.
    function checkRivals(uint256 x, uint256 y) external view returns (uint256 tournament);

    /// @notice What the reveals say down to the end of a path, which is checked.
    function reveals(uint256 x, uint256 y, Path calldata path) external view returns (MatchReveals memory);

    /// @notice Who revealed the children 2^width below a node.
    function revealOf(bytes32 node, uint256 width) external view returns (Reveal memory);

    /// @notice A group: its members in all, those that arrived, and those that stand.
    function group(uint256 tournament, uint256 round, uint256 number)
        external
        view
        returns (uint256 members, uint256 arrived, uint256 standing);

    /// @notice The outputs.
    function rollup() external view returns (IRollupV2);

    /// @notice Where accounts play about single blocks.
    function dispute() external view returns (IDisputeV2);

    /// @notice Members of a group, at most.
    function groupSize() external view returns (uint64);

    /// @notice Most seconds from a parent's first child to the end of the second round.
    function twoRoundsSecondsMax() external view returns (uint256);

    /// @notice Seconds that a side has at least for its next move.
    function gameIncrement() external view returns (uint64);
}
