// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IDisputeV2 } from "./interfaces/IDisputeV2.sol";
import { Contender, IRollupV2, Range, Status } from "./interfaces/IRollupV2.sol";
import { ITournament, MatchReveals, Reveal, TournamentConfig } from "./interfaces/ITournament.sol";
import { HistoryLib, Path, PathNodes } from "./lib/HistoryLib.sol";
import { Progress, Timeline, TimelineLib } from "./lib/TimelineLib.sol";

/// @title Tournament
/// @notice Reveals, groups and rounds; see ITournament.
contract Tournament is ITournament {
    using TimelineLib for Timeline;

    /// @dev L1 drops blob data after about 18 days. Players must be able to read it until the second round ends.
    uint256 private constant WINDOW_AND_DISPUTE_MAX = 15 days;
    /// @dev Increments that a round may take.
    uint256 private constant ROUND_INCREMENTS = 18;
    uint64 private constant GROUP_SIZE_MIN = 2;
    uint64 private constant GROUP_SIZE_MAX = 128;

    /// @dev Members that joined a later round, and members that were rejected.
    struct Group {
        uint128 promoted;
        uint128 rejected;
    }

    /// @dev Two rivals, x with the lower seat.
    struct Rivals {
        Contender x;
        Contender y;
    }

    /// @inheritdoc ITournament
    IRollupV2 public immutable rollup;
    /// @inheritdoc ITournament
    IDisputeV2 public immutable dispute;
    /// @inheritdoc ITournament
    uint64 public immutable groupSize;
    /// @inheritdoc ITournament
    uint64 public immutable gameIncrement;
    /// @inheritdoc ITournament
    uint256 public immutable twoRoundsSecondsMax;

    mapping(bytes32 node => mapping(uint256 width => Reveal)) private _reveals;
    mapping(uint256 tournament => mapping(uint256 round => mapping(uint256 number => Group))) private _groups;

    constructor(IRollupV2 rollup_, IDisputeV2 dispute_, TournamentConfig memory config) {
        (uint64 size, uint64 increment) = (config.groupSize, config.gameIncrement);
        bool works = address(dispute_) != address(0) && size >= GROUP_SIZE_MIN && size <= GROUP_SIZE_MAX
            && size & (size - 1) == 0 && increment != 0 && rollup_.tournament() == address(this);
        uint256 longest = uint256(rollup_.challengeWindow()) + 2 * uint256(rollup_.gameClock()) + 2
            * ROUND_INCREMENTS * increment;
        if (!works || longest > WINDOW_AND_DISPUTE_MAX) revert Tournament_BadConfig();
        rollup = rollup_;
        dispute = dispute_;
        groupSize = size;
        gameIncrement = increment;
        twoRoundsSecondsMax = longest;
    }

    /// @inheritdoc ITournament
    function reveal(bytes32[] calldata children) external {
        (bytes32 node, uint256 width) = HistoryLib.nodeAbove(children);
        Reveal storage noted = _reveals[node][width];
        if (noted.time != 0) revert Tournament_AlreadyRevealed(node, noted.by);
        (noted.by, noted.time) = (msg.sender, uint64(block.timestamp));
        emit Revealed(node, width, msg.sender, children);
    }

    /// @inheritdoc ITournament
    function timeOut(uint256 x, uint256 y, Path calldata path) external {
        Rivals memory rivals = _rivals(x, y);
        MatchReveals memory found = _follow(rivals, path);
        if (found.progress == Progress.XFailed) {
            _eliminate(x, rivals.x, found.revealerY, msg.sender);
            return;
        }
        if (found.progress == Progress.Revealed) {
            if (path.depth != found.depth) revert Tournament_MatchOpen(x, y);
            if (dispute.isAccused(x, y)) revert Tournament_Accused(x, y);
            uint256 endsAt = TimelineLib.limit(found.from, found.leftY, gameIncrement);
            if (block.timestamp <= endsAt) revert Tournament_AccusationOpen(x, y, endsAt);
        } else if (found.progress == Progress.Waiting) {
            revert Tournament_MatchOpen(x, y);
        }
        _eliminate(y, rivals.y, found.revealerX, msg.sender);
    }

    /// @inheritdoc ITournament
    function padded(
        uint256 x,
        uint256 y,
        Path calldata path,
        bytes32 before,
        bytes32[] calldata beforeSiblings
    ) external {
        Rivals memory rivals = _rivals(x, y);
        MatchReveals memory found = _follow(rivals, path);
        if (found.progress != Progress.Revealed || path.depth != found.depth) {
            revert Tournament_MatchOpen(x, y);
        }
        if (path.index < found.positions) revert Tournament_WrongLeaf(path.index, found.positions);
        HistoryLib.checkLeaf(rivals.x.history, found.depth, path.index - 1, before, beforeSiblings);
        if (path.nodeY == before) _eliminate(x, rivals.x, found.revealerY, msg.sender);
        else _eliminate(y, rivals.y, found.revealerX, msg.sender);
    }

    /// @inheritdoc ITournament
    function promote(uint256 index) external {
        Contender memory member = rollup.contender(index);
        if (member.status != Status.Standing) revert Tournament_NotStanding(index);
        Range memory range = rollup.range(member.tournament);
        if (range.winner != 0) revert Tournament_Decided(member.tournament, range.winner);
        uint256 endsAt = range.firstAt + rollup.challengeWindow();
        if (block.timestamp < endsAt) revert Tournament_WindowOpen(endsAt);
        (uint256 members, uint256 arrived, uint256 standing) =
            _group(range.count, member.tournament, member.round, _groupOf(member));
        if (arrived != members || standing != 1) revert Tournament_GroupOpen(members, arrived, standing);

        if (_groupsOf(range.count, member.round) == 1) {
            rollup.crown(index);
            return;
        }
        rollup.promote(index);
        ++member.round;
        ++_groups[member.tournament][member.round][_groupOf(member)].promoted;
    }

    /// @inheritdoc ITournament
    function eliminate(uint256 index, address revealer, address ender) external {
        if (msg.sender != address(dispute)) revert Tournament_NotDispute(msg.sender);
        _eliminate(index, rollup.contender(index), revealer, ender);
    }

    /// @inheritdoc ITournament
    function checkRivals(uint256 x, uint256 y) external view returns (uint256) {
        return _rivals(x, y).x.tournament;
    }

    /// @inheritdoc ITournament
    function reveals(uint256 x, uint256 y, Path calldata path) external view returns (MatchReveals memory) {
        return _follow(_rivals(x, y), path);
    }

    /// @inheritdoc ITournament
    function revealOf(bytes32 node, uint256 width) external view returns (Reveal memory) {
        return _reveals[node][width];
    }

    /// @inheritdoc ITournament
    function group(uint256 tournament, uint256 round, uint256 number)
        external
        view
        returns (uint256 members, uint256 arrived, uint256 standing)
    {
        return _group(rollup.range(tournament).count, tournament, round, number);
    }

    /// @dev Two outputs that stand and are x and y of one group.
    function _rivals(uint256 x, uint256 y) private view returns (Rivals memory rivals) {
        rivals = Rivals({ x: rollup.contender(x), y: rollup.contender(y) });
        Contender memory a = rivals.x;
        Contender memory b = rivals.y;
        if (a.status != Status.Standing) revert Tournament_NotStanding(x);
        if (b.status != Status.Standing) revert Tournament_NotStanding(y);
        bool areRivals = a.tournament == b.tournament && a.round == b.round && a.seat < b.seat
            && _groupOf(a) == _groupOf(b);
        if (!areRivals) revert Tournament_NotRivals(x, y);
    }

    /// @dev What the reveals say of two rivals, down to the end of a path.
    function _follow(Rivals memory rivals, Path calldata path)
        private
        view
        returns (MatchReveals memory found)
    {
        found.tournament = rivals.x.tournament;
        Range memory range = rollup.range(found.tournament);
        (found.depth, found.positions) = (range.depth, range.positions);
        PathNodes memory nodes = HistoryLib.climb(path, found.depth, rivals.x.history, rivals.y.history);
        uint256[] memory timesX;
        uint256[] memory timesY;
        (timesX, found.revealerX) = _times(nodes.x, nodes.count, found.depth, rivals.x.proposer);
        (timesY, found.revealerY) = _times(nodes.y, nodes.count, found.depth, rivals.y.proposer);

        Timeline memory timeline;
        timeline.from = rivals.x.since > rivals.y.since ? rivals.x.since : rivals.y.since;
        (timeline.leftX, timeline.leftY) = (rivals.x.left, rivals.y.left);
        timeline.follow(gameIncrement, timesX, timesY);
        found.progress = timeline.progress;
        (found.from, found.leftX, found.leftY) = (timeline.from, timeline.leftX, timeline.leftY);
    }

    /// @dev When the children of one side's nodes were revealed, and by whom last.
    function _times(bytes32[5] memory nodes, uint256 count, uint256 depth, address proposer)
        private
        view
        returns (uint256[] memory times, address revealer)
    {
        times = new uint256[](count);
        revealer = proposer;
        for (uint256 i; i < count; ++i) {
            uint256 width = HistoryLib.widthAt(i * HistoryLib.REVEAL_WIDTH, depth);
            Reveal storage noted = _reveals[nodes[i]][width];
            times[i] = noted.time;
            if (noted.time != 0) revealer = noted.by;
        }
    }

    /// @dev Rejects a member of a group. Another one stands, so that no group gets empty.
    function _eliminate(uint256 index, Contender memory member, address revealer, address ender) private {
        ++_groups[member.tournament][member.round][_groupOf(member)].rejected;
        rollup.eliminate(index, revealer, ender);
    }

    function _group(uint256 count, uint256 tournament, uint256 round, uint256 number)
        private
        view
        returns (uint256 members, uint256 arrived, uint256 standing)
    {
        uint256 before = number * groupSize;
        uint256 inRound = _ceilDiv(count, _size(round));
        members = inRound <= before ? 0 : _min(groupSize, inRound - before);
        Group storage found = _groups[tournament][round][number];
        // In round 0 every child arrives in its group with its proposal.
        arrived = round == 0 ? members : found.promoted;
        standing = arrived - found.rejected;
    }

    /// @dev Number of the member's group in its round.
    function _groupOf(Contender memory member) private view returns (uint256) {
        return member.seat / _size(member.round + 1);
    }

    /// @dev Number of groups in a round.
    function _groupsOf(uint256 count, uint256 round) private view returns (uint256) {
        return _ceilDiv(count, _size(round + 1));
    }

    /// @dev Seats that come down to one member of a round.
    function _size(uint256 round) private view returns (uint256) {
        return uint256(groupSize) ** round;
    }

    function _ceilDiv(uint256 a, uint256 b) private pure returns (uint256) {
        return (a + b - 1) / b;
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
