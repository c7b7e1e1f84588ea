// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IInbox } from "../interfaces/IInbox.sol";
import { LocalInputs } from "../interfaces/IPreimageOracle.sol";
import { IRiscvStep } from "../interfaces/IRiscvStep.sol";
import { RiscvState } from "../lib/RiscvState.sol";
import { LostBonds } from "./LostBonds.sol";
import {
    Accusation,
    Game,
    GameStatus,
    IDisputeV2,
    Match,
    Opening,
    Stake,
    StakeStatus
} from "./interfaces/IDisputeV2.sol";
import { IPrograms } from "./interfaces/IPrograms.sol";
import { IRollupV2, Output, Status } from "./interfaces/IRollupV2.sol";
import { ITournament, MatchReveals } from "./interfaces/ITournament.sol";
import { Bisection, BisectionLibV2, Segment } from "./lib/BisectionLibV2.sol";
import { HistoryLib, Path } from "./lib/HistoryLib.sol";
import { Progress, TimelineLib } from "./lib/TimelineLib.sol";

/// @title DisputeV2
/// @notice Stakes, accusations and games about single blocks; see IDisputeV2.
contract DisputeV2 is IDisputeV2, LostBonds {
    using BisectionLibV2 for Bisection;
    using BisectionLibV2 for Segment;
    using RiscvState for bytes;

    /// @inheritdoc IDisputeV2
    IRollupV2 public immutable rollup;
    /// @inheritdoc IDisputeV2
    ITournament public immutable tournaments;
    /// @inheritdoc IDisputeV2
    IPrograms public immutable programs;
    /// @inheritdoc IDisputeV2
    IInbox public immutable inbox;
    /// @inheritdoc IDisputeV2
    IRiscvStep public immutable riscvStep;
    /// @inheritdoc IDisputeV2
    uint256 public immutable stakeAmount;
    uint64 private immutable _increment;
    uint64 private immutable _blocksPerEntryMax;

    Accusation[] private _accusations;
    Game[] private _games;
    mapping(uint256 x => mapping(uint256 y => Match)) private _matches;
    mapping(uint256 x => mapping(uint256 y => mapping(address account => bool))) private _hasAccused;
    mapping(uint256 tournament => mapping(address account => Stake)) private _stakes;
    mapping(uint256 tournament => mapping(address accuser => mapping(address account => bool))) private
        _hasMet;

    constructor(ITournament tournaments_, IRiscvStep riscvStep_, uint256 stakeAmount_) {
        if (address(tournaments_.dispute()) != address(this) || stakeAmount_ == 0) {
            revert Dispute_BadConfig();
        }
        tournaments = tournaments_;
        rollup = tournaments_.rollup();
        programs = IPrograms(rollup.programs());
        inbox = rollup.inbox();
        riscvStep = riscvStep_;
        stakeAmount = stakeAmount_;
        _increment = tournaments_.gameIncrement();
        _blocksPerEntryMax = rollup.blocksPerEntryMax();
    }

    /// @inheritdoc IDisputeV2
    function accuse(uint256 x, uint256 y, Path calldata path, Opening calldata opening)
        external
        payable
        returns (uint256 accusation)
    {
        MatchReveals memory found = tournaments.reveals(x, y, path);
        if (found.progress != Progress.Revealed || path.depth != found.depth) {
            revert Dispute_NotRevealed(x, y);
        }
        if (path.index >= found.positions) revert Dispute_PastBlocks(path.index, found.positions);
        uint256 endsAt = TimelineLib.limit(found.from, found.leftY, _increment);
        if (block.timestamp > endsAt) revert Dispute_AccusationsOver(endsAt);
        if (_hasAccused[x][y][msg.sender]) revert Dispute_AlreadyAccused(x, y, msg.sender);
        _hasAccused[x][y][msg.sender] = true;
        _takeStake(found.tournament);

        Bisection memory bisection = _openBlock(x, y, path, found.depth, opening);
        accusation = _accusations.length;
        _accusations.push(
            Accusation({
                accuser: msg.sender,
                accusedAt: uint64(block.timestamp),
                tournament: found.tournament,
                x: uint64(x),
                y: uint64(y),
                clock: _left(uint64(found.leftY), uint64(block.timestamp - found.from)),
                isStruck: false,
                bisection: bisection.hash()
            })
        );
        _joinMatch(x, y, found);
        emit Accused(accusation, x, y, msg.sender, path.nodeX, path.nodeY, bisection, opening.finalState);
    }

    /// @inheritdoc IDisputeV2
    function answer(
        uint256 accusation,
        Bisection calldata answered,
        uint64 segment,
        bytes32[] calldata claims
    ) external payable returns (uint256 gameId) {
        Accusation storage accused = _accusationAt(accusation);
        if (!_stands(accused)) revert Dispute_AccusationNotStanding(accusation);
        uint256 id = tournaments.checkRivals(accused.x, accused.y);
        address accuser = accused.accuser;
        bool met = accuser == msg.sender || _hasMet[id][accuser][msg.sender];
        if (met) revert Dispute_AlreadyMet(accuser, msg.sender);
        uint256 endsAt = _answersUntil(accused);
        if (block.timestamp > endsAt) revert Dispute_AnswersOver(accusation, endsAt);
        _takeStake(id);
        _hasMet[id][accuser][msg.sender] = true;
        ++_stakes[id][accuser].openGames;
        ++_stakes[id][msg.sender].openGames;

        gameId = _games.length;
        Game storage game = _games.push();
        game.defender = msg.sender;
        game.movedAt = uint64(block.timestamp);
        game.accusation = uint64(accusation);
        game.accuserClock = accused.clock;
        // The defender's clock has run since the accusation.
        uint64 clock = _matches[accused.x][accused.y].clockX;
        game.defenderClock = _left(clock, uint64(block.timestamp) - accused.accusedAt);
        game.status = GameStatus.DefenderToMove;
        game.bisection = accused.bisection;
        emit Answered(gameId, accusation, msg.sender);
        _move(gameId, game, answered, segment, claims);
    }

    /// @inheritdoc IDisputeV2
    function move(uint256 gameId, Bisection calldata answered, uint64 segment, bytes32[] calldata claims)
        external
    {
        Game storage game = _takeTurn(gameId);
        _move(gameId, game, answered, segment, claims);
    }

    /// @inheritdoc IDisputeV2
    function prove(
        uint256 gameId,
        Bisection calldata answered,
        uint64 segment,
        bytes calldata state,
        bytes calldata proof
    ) external {
        Game storage game = _takeTurn(gameId);
        Segment memory step = answered.segmentAt(segment, game.bisection);
        if (step.steps != 1) revert Dispute_NotSingleStep(step.steps);
        _checkState(step.start, state);
        bytes32 found = riscvStep.step(state, proof, _localInputs(game, step));
        if (found == step.end) revert Dispute_StepIsRight(found);
        emit StepProven(gameId, step.end, found);
        _end(gameId, game, game.status == GameStatus.AccuserToMove);
    }

    /// @inheritdoc IDisputeV2
    function timeOutGame(uint256 gameId) external {
        (Game storage game,) = _playing(gameId);
        uint256 endsAt = uint256(game.movedAt) + _clock(game);
        if (block.timestamp <= endsAt) revert Dispute_ClockRuns(gameId, endsAt);
        _end(gameId, game, game.status == GameStatus.DefenderToMove);
    }

    /// @inheritdoc IDisputeV2
    function strike(uint256 accusation) external {
        Accusation storage accused = _accusationAt(accusation);
        if (accused.isStruck || _stands(accused)) revert Dispute_NothingToStrike(accusation);
        _strike(accusation, accused, msg.sender);
    }

    /// @inheritdoc IDisputeV2
    function close(uint256 gameId) external {
        Game storage game = _gameAt(gameId);
        Accusation storage accused = _accusations[game.accusation];
        if (!_isOpen(game) || _bothStand(game, accused)) revert Dispute_NothingToClose(gameId);
        _finish(gameId, game, accused, GameStatus.Closed);
    }

    /// @inheritdoc IDisputeV2
    function settleAccusation(uint256 accusation) external {
        Accusation storage accused = _accusationAt(accusation);
        uint256 id = tournaments.checkRivals(accused.x, accused.y);
        if (!_stands(accused)) revert Dispute_AccusationNotStanding(accusation);
        uint256 endsAt = _answersUntil(accused);
        if (block.timestamp <= endsAt) revert Dispute_AnswersOpen(accusation, endsAt);
        uint64 openGames = _stakes[id][accused.accuser].openGames;
        if (openGames != 0) revert Dispute_GamesOpen(accused.accuser, openGames);
        tournaments.eliminate(accused.x, _matches[accused.x][accused.y].revealerY, accused.accuser);
    }

    /// @inheritdoc IDisputeV2
    function settleMatch(uint256 x, uint256 y) external {
        tournaments.checkRivals(x, y);
        Match storage about = _matches[x][y];
        if (about.startedAt == 0) revert Dispute_UnknownMatch(x, y);
        uint256 endsAt = TimelineLib.limit(about.startedAt, about.clockY, _increment);
        if (block.timestamp <= endsAt) revert Dispute_AccusationsOpen(endsAt);
        if (about.standing != 0) revert Dispute_AccusationsStand(about.standing);
        // Somebody felled the last accuser, because an accusation made the match.
        tournaments.eliminate(y, about.revealerX, about.lastStriker);
    }

    /// @inheritdoc IDisputeV2
    function release(uint256 tournament, address account) external {
        Stake storage stake = _stakes[tournament][account];
        if (stake.status != StakeStatus.Standing) revert Dispute_StakeNotStanding(account, stake.status);
        if (_isCurrent(tournament)) {
            Status parent = rollup.statusOf(uint64(tournament));
            bool isDecided =
                rollup.range(tournament).winner != 0 || parent == Status.Rejected || parent == Status.Void;
            if (!isDecided) revert Dispute_TournamentOpen(tournament);
            if (stake.openGames != 0) revert Dispute_GamesOpen(account, stake.openGames);
        }
        stake.status = StakeStatus.Returned;
        emit Released(tournament, account);
        _credit(account, stakeAmount);
    }

    /// @inheritdoc IDisputeV2
    function isAccused(uint256 x, uint256 y) external view returns (bool) {
        return _matches[x][y].startedAt != 0;
    }

    /// @inheritdoc IDisputeV2
    function matchOf(uint256 x, uint256 y) external view returns (Match memory) {
        return _matches[x][y];
    }

    /// @inheritdoc IDisputeV2
    function stakeOf(uint256 tournament, address account) external view returns (Stake memory) {
        return _stakes[tournament][account];
    }

    /// @inheritdoc IDisputeV2
    function hasMet(uint256 tournament, address accuser, address account) external view returns (bool) {
        return _hasMet[tournament][accuser][account];
    }

    /// @inheritdoc IDisputeV2
    function accusationCount() external view returns (uint256) {
        return _accusations.length;
    }

    /// @inheritdoc IDisputeV2
    function accusationAt(uint256 accusation) external view returns (Accusation memory) {
        return _accusationAt(accusation);
    }

    /// @inheritdoc IDisputeV2
    function gameCount() external view returns (uint256) {
        return _games.length;
    }

    /// @inheritdoc IDisputeV2
    function gameAt(uint256 gameId) external view returns (Game memory) {
        return _gameAt(gameId);
    }

    /// @inheritdoc IDisputeV2
    function hashOf(Bisection calldata bisection) external pure returns (bytes32) {
        return bisection.hash();
    }

    /// @dev Takes the caller's stake, unless the tournament has it.
    function _takeStake(uint256 tournament) private {
        Stake storage stake = _stakes[tournament][msg.sender];
        uint256 due = stake.status == StakeStatus.None ? stakeAmount : 0;
        if (stake.status == StakeStatus.Fallen || stake.status == StakeStatus.Returned) {
            revert Dispute_StakeNotStanding(msg.sender, stake.status);
        }
        if (msg.value != due) revert Dispute_WrongStake(due, msg.value);
        if (due == 0) return;
        stake.status = StakeStatus.Standing;
        emit Staked(tournament, msg.sender);
    }

    /// @dev The accuser's first bisection, over the machine's run on the block at the path's end.
    function _openBlock(uint256 x, uint256 y, Path calldata path, uint256 depth, Opening calldata opening)
        private
        view
        returns (Bisection memory)
    {
        Output memory a = rollup.output(x);
        Output memory parent = rollup.output(a.parentIndex);
        if (path.index == 0) {
            bool well = opening.before == parent.outputRoot && opening.beforeSiblings.length == 0;
            if (!well) revert Dispute_WrongRootBefore(parent.outputRoot, opening.before);
        } else {
            HistoryLib.checkLeaf(a.history, depth, path.index - 1, opening.before, opening.beforeSiblings);
        }
        uint64 leaf = uint64(path.index);
        Segment memory run = Segment({
            answered: keccak256(abi.encode(a.claim, rollup.output(y).claim, leaf)),
            leaf: leaf,
            before: opening.before,
            first: 0,
            steps: BisectionLibV2.STEPS,
            start: programs.initialStateOf(parent.entry + 1 + leaf / _blocksPerEntryMax),
            end: 0
        });
        Bisection memory bisection = run.divide(opening.claims);
        bytes32 root = _rootOf(opening, bisection.claims[BisectionLibV2.SEGMENTS - 1]);
        if (root != path.nodeY) revert Dispute_WrongRoot(path.nodeY, root);
        return bisection;
    }

    /// @dev What the block comes to, by the total rule.
    function _rootOf(Opening calldata opening, bytes32 claimed) private pure returns (bytes32) {
        _checkState(claimed, opening.finalState);
        bytes memory machine = opening.finalState;
        if (!machine.isCanonical()) revert Dispute_WrongState(claimed, claimed);
        return machine.exited() && machine.exitCode() == 0 ? machine.outputRoot() : opening.before;
    }

    function _checkState(bytes32 expected, bytes calldata state) private pure {
        bytes32 found = keccak256(state);
        if (found != expected || state.length != RiscvState.BYTES) {
            revert Dispute_WrongState(expected, found);
        }
    }

    /// @dev Counts an accusation. The first one makes the match.
    function _joinMatch(uint256 x, uint256 y, MatchReveals memory found) private {
        Match storage about = _matches[x][y];
        if (about.startedAt == 0) {
            about.startedAt = uint64(found.from);
            (about.clockX, about.clockY) = (uint64(found.leftX), uint64(found.leftY));
            (about.revealerX, about.revealerY) = (found.revealerX, found.revealerY);
        }
        ++about.standing;
    }

    /// @dev The game, in which it must be the caller's turn. Stops the caller's clock.
    function _takeTurn(uint256 gameId) private returns (Game storage game) {
        Accusation storage accused;
        (game, accused) = _playing(gameId);
        bool isAccuser = game.status == GameStatus.AccuserToMove;
        address mover = isAccuser ? accused.accuser : game.defender;
        if (msg.sender != mover) revert Dispute_NotYourMove(mover, msg.sender);
        uint64 clock = _clock(game);
        uint64 elapsed = uint64(block.timestamp) - game.movedAt;
        if (elapsed > clock) revert Dispute_ClockRanOut(gameId, uint256(game.movedAt) + clock);
        if (isAccuser) game.accuserClock = _left(clock, elapsed);
        else game.defenderClock = _left(clock, elapsed);
        game.movedAt = uint64(block.timestamp);
    }

    function _move(
        uint256 gameId,
        Game storage game,
        Bisection calldata answered,
        uint64 segment,
        bytes32[] calldata claims
    ) private {
        Bisection memory bisection = answered.segmentAt(segment, game.bisection).divide(claims);
        bytes32 bisectionHash = bisection.hash();
        game.bisection = bisectionHash;
        game.status =
            game.status == GameStatus.AccuserToMove ? GameStatus.DefenderToMove : GameStatus.AccuserToMove;
        emit Moved(gameId, bisectionHash, game.status, game.accuserClock, game.defenderClock, bisection);
    }

    /// @dev Ends a game with a loser, who falls in the tournament. The caller ended it.
    function _end(uint256 gameId, Game storage game, bool accuserWon) private {
        Accusation storage accused = _accusations[game.accusation];
        _finish(gameId, game, accused, accuserWon ? GameStatus.AccuserWon : GameStatus.DefenderWon);
        (address winner, address loser) =
            accuserWon ? (accused.accuser, game.defender) : (game.defender, accused.accuser);
        uint256 id = accused.tournament;
        // Only games whose two stakes stand are played, so nobody falls twice.
        _stakes[id][loser].status = StakeStatus.Fallen;
        emit Fallen(id, loser, winner, msg.sender);
        if (!accuserWon && !accused.isStruck) _strike(game.accusation, accused, msg.sender);
        _lose(stakeAmount, winner, msg.sender);
    }

    function _finish(uint256 gameId, Game storage game, Accusation storage accused, GameStatus status)
        private
    {
        game.status = status;
        --_stakes[accused.tournament][accused.accuser].openGames;
        --_stakes[accused.tournament][game.defender].openGames;
        emit GameEnded(gameId, status);
    }

    function _strike(uint256 accusation, Accusation storage accused, address striker) private {
        accused.isStruck = true;
        Match storage about = _matches[accused.x][accused.y];
        --about.standing;
        about.lastStriker = striker;
        emit Struck(accusation, striker);
    }

    function _localInputs(Game storage game, Segment memory step) private view returns (LocalInputs memory) {
        Output memory a = rollup.output(_accusations[game.accusation].x);
        uint64 entry = rollup.output(a.parentIndex).entry + 1 + step.leaf / _blocksPerEntryMax;
        return LocalInputs({
            chainConfig: inbox.chainConfigHash(),
            outputRoot: step.before,
            inboxAcc: inbox.acc(entry),
            blockIndex: step.leaf % _blocksPerEntryMax,
            dataMissing: false
        });
    }

    /// @dev A game that is played: its generation runs, and the stakes of both accounts stand.
    function _playing(uint256 gameId) private view returns (Game storage game, Accusation storage accused) {
        game = _gameAt(gameId);
        accused = _accusations[game.accusation];
        bool isPlayed = _isOpen(game) && _isCurrent(accused.tournament) && _bothStand(game, accused);
        if (!isPlayed) revert Dispute_GameOver(gameId);
    }

    function _isOpen(Game storage game) private view returns (bool) {
        return game.status == GameStatus.AccuserToMove || game.status == GameStatus.DefenderToMove;
    }

    /// @dev Whether an accusation counts: its accuser's stake stands, also before anybody strikes it.
    function _stands(Accusation storage accused) private view returns (bool) {
        return !accused.isStruck && _isStanding(accused.tournament, accused.accuser);
    }

    /// @dev Whether the stakes of both accounts of a game stand.
    function _bothStand(Game storage game, Accusation storage accused) private view returns (bool) {
        uint256 id = accused.tournament;
        return _isStanding(id, accused.accuser) && _isStanding(id, game.defender);
    }

    function _isStanding(uint256 tournament, address account) private view returns (bool) {
        return _stakes[tournament][account].status == StakeStatus.Standing;
    }

    function _isCurrent(uint256 tournament) private view returns (bool) {
        return tournament >> 64 == rollup.generation();
    }

    /// @dev Until when an accusation may be answered.
    function _answersUntil(Accusation storage accused) private view returns (uint256) {
        return TimelineLib.limit(accused.accusedAt, _matches[accused.x][accused.y].clockX, _increment);
    }

    /// @dev What a clock has left after a move, at least the increment.
    function _left(uint64 clock, uint64 used) private view returns (uint64) {
        return clock > used + _increment ? clock - used : _increment;
    }

    /// @dev Seconds that the mover had left at the last move.
    function _clock(Game storage game) private view returns (uint64) {
        return game.status == GameStatus.AccuserToMove ? game.accuserClock : game.defenderClock;
    }

    function _accusationAt(uint256 accusation) private view returns (Accusation storage) {
        if (accusation >= _accusations.length) revert Dispute_UnknownAccusation(accusation);
        return _accusations[accusation];
    }

    function _gameAt(uint256 gameId) private view returns (Game storage) {
        if (gameId >= _games.length) revert Dispute_UnknownGame(gameId);
        return _games[gameId];
    }
}
