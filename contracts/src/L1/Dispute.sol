// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    Answer,
    Bisection,
    Challenge,
    ChallengeStatus,
    DisputeConfig,
    Game,
    GameStatus,
    IDispute,
    Phase
} from "../interfaces/IDispute.sol";
import { IInbox } from "../interfaces/IInbox.sol";
import { LocalInputs } from "../interfaces/IPreimageOracle.sol";
import { IRiscvStep } from "../interfaces/IRiscvStep.sol";
import { IRollup, Output } from "../interfaces/IRollup.sol";
import { BisectionLib, Segment } from "../lib/BisectionLib.sol";
import { EtherBurner } from "../lib/EtherBurner.sol";
import { ProgramState } from "../lib/ProgramState.sol";
import { RiscvState } from "../lib/RiscvState.sol";
import { Bonds } from "./Bonds.sol";

/// @title Dispute
/// @notice Challenges of outputs and the games that decide them; see IDispute.
contract Dispute is IDispute, Bonds {
    using BisectionLib for Bisection;
    using BisectionLib for uint64;
    using RiscvState for bytes;

    /// @dev Steps that the machine may take for a block. A program that takes more proves nothing.
    uint64 private constant MACHINE_STEPS = 1 << 42;
    /// @dev Most blocks of an output, which bounds the moves of a game.
    uint64 private constant OUTPUT_BLOCKS_MAX = 1 << 28;
    /// @dev L1 drops blob data after about 18 days. Players must be able to read it until the dispute ends.
    uint256 private constant WINDOW_AND_DISPUTE_MAX = 14 days;
    /// @dev A lost bond is divided by this number to get the burned part.
    uint256 private constant BURNED_PART = 2;

    /// @inheritdoc IDispute
    IRollup public immutable rollup;
    /// @inheritdoc IDispute
    IInbox public immutable inbox;
    /// @inheritdoc IDispute
    IRiscvStep public immutable riscvStep;
    /// @inheritdoc IDispute
    uint64 public immutable blocksPerEntryMax;
    /// @inheritdoc IDispute
    uint256 public immutable gameBond;
    /// @inheritdoc IDispute
    uint24 public immutable gameClock;
    /// @inheritdoc IDispute
    uint24 public immutable gameIncrement;
    /// @inheritdoc IDispute
    uint256 public immutable disputeSecondsMax;

    Challenge[] private _challenges;
    Game[] private _games;
    /// @dev Outputs that were rejected. Every other challenge of such an output is moot.
    mapping(uint256 output => bool) private _isRejected;

    constructor(IRollup rollup_, IRiscvStep riscvStep_, DisputeConfig memory config) {
        bool works = config.blocksPerEntryMax != 0 && config.gameClock != 0 && config.gameIncrement != 0
            && config.gameBond != 0;
        if (!works || rollup_.dispute() != address(this)) revert Dispute_BadConfig();
        rollup = rollup_;
        inbox = rollup_.inbox();
        riscvStep = riscvStep_;
        blocksPerEntryMax = config.blocksPerEntryMax;
        gameBond = config.gameBond;
        gameClock = config.gameClock;
        gameIncrement = config.gameIncrement;

        uint64 blocks = config.blocksPerEntryMax * rollup_.entriesPerOutputMax();
        if (blocks > OUTPUT_BLOCKS_MAX) revert Dispute_BadConfig();
        uint256 moves = blocks.depth() + MACHINE_STEPS.depth() + 1;
        disputeSecondsMax = 2 * uint256(config.gameClock) + moves * config.gameIncrement;
        if (rollup_.challengeWindow() + disputeSecondsMax > WINDOW_AND_DISPUTE_MAX) {
            revert Dispute_BadConfig();
        }
    }

    /// @dev Receives the bond of a rejected output from the rollup.
    receive() external payable {
        if (msg.sender != address(rollup)) revert Dispute_NotRollup(msg.sender);
    }

    /// @inheritdoc IDispute
    function challenge(uint256 output, bytes32 claim, Answer calldata answer)
        external
        payable
        returns (uint256 challengeId)
    {
        _checkBond();
        rollup.openChallenge(output, claim);
        if (answer.segment != 0) revert Dispute_NoSuchSegment(answer.segment, 1);
        Bisection memory bisection = _divide(_outputSegment(output), answer);
        bytes32 bisectionHash = bisection.hash();

        challengeId = _challenges.length;
        _challenges.push(
            Challenge({
                challenger: msg.sender,
                startedAt: uint40(block.timestamp),
                openGames: 0,
                status: ChallengeStatus.Open,
                output: uint64(output),
                bisection: bisectionHash
            })
        );
        emit ChallengeOpened(challengeId, output, msg.sender, bisectionHash, bisection);
    }

    /// @inheritdoc IDispute
    function defend(uint256 challengeId, Bisection calldata answered, Answer calldata answer)
        external
        payable
        returns (uint256 gameId)
    {
        _checkBond();
        Challenge storage defended = _openChallenge(challengeId);
        uint256 endsAt = defended.startedAt + gameClock;
        if (block.timestamp > endsAt) revert Dispute_DefenceOver(challengeId, endsAt);

        gameId = _games.length;
        ++defended.openGames;
        // The defender's clock has run since the challenge.
        _games.push(
            Game({
                defender: msg.sender,
                movedAt: defended.startedAt,
                challengerClock: gameClock,
                defenderClock: gameClock,
                status: GameStatus.DefenderToMove,
                challenge: uint64(challengeId),
                bisection: defended.bisection
            })
        );
        emit GameOpened(gameId, challengeId, msg.sender);
        _move(gameId, _games[gameId], answered, answer);
    }

    /// @inheritdoc IDispute
    function move(uint256 gameId, Bisection calldata answered, Answer calldata answer) external {
        (Game storage game,) = _mover(gameId);
        _move(gameId, game, answered, answer);
    }

    /// @inheritdoc IDispute
    function prove(
        uint256 gameId,
        Bisection calldata answered,
        uint64 segment,
        bytes calldata state,
        bytes calldata proof
    ) external {
        (Game storage game, Challenge storage disputed) = _mover(gameId);
        _takeTime(gameId, game);
        Segment memory disputedStep = _segment(game, answered, segment);
        uint64 steps = disputedStep.last - disputedStep.first;
        if (disputedStep.phase != Phase.Machine || steps != 1) {
            revert Dispute_NotSingleStep(disputedStep.phase, steps);
        }
        _checkState(disputedStep.start, state);
        bytes32 found = riscvStep.step(state, proof, _localInputs(disputed.output, disputedStep));
        if (found == disputedStep.end) revert Dispute_StepIsRight(found);

        emit StepProven(gameId, disputedStep.end, found);
        _end(gameId, game, game.status == GameStatus.ChallengerToMove);
    }

    /// @inheritdoc IDispute
    function timeOut(uint256 gameId) external {
        (Game storage game,) = _openGame(gameId);
        uint256 endsAt = game.movedAt + _clock(game);
        if (block.timestamp <= endsAt) revert Dispute_ClockRuns(gameId, endsAt);
        emit TimedOut(gameId);
        _end(gameId, game, game.status == GameStatus.DefenderToMove);
    }

    /// @inheritdoc IDispute
    function resolve(uint256 challengeId) external {
        Challenge storage resolved = _challengeAt(challengeId);
        if (resolved.status != ChallengeStatus.Open) revert Dispute_ChallengeOver(challengeId);
        if (_isRejected[resolved.output]) {
            _endChallenge(challengeId, resolved, ChallengeStatus.Moot);
            _credit(resolved.challenger, gameBond);
            return;
        }
        uint256 endsAt = resolved.startedAt + gameClock;
        if (block.timestamp <= endsAt) revert Dispute_DefenceOpen(challengeId, endsAt);
        if (resolved.openGames != 0) revert Dispute_GamesOpen(challengeId, resolved.openGames);

        _isRejected[resolved.output] = true;
        _endChallenge(challengeId, resolved, ChallengeStatus.Won);
        _credit(resolved.challenger, gameBond);
        rollup.rejectOutput(resolved.output);
        _forfeit(rollup.proposerBond(), resolved.challenger);
    }

    /// @inheritdoc IDispute
    function returnBond(uint256 gameId) external {
        Game storage game = _gameAt(gameId);
        _checkRuns(gameId, game);
        Challenge storage ended = _challenges[game.challenge];
        if (_isPlayable(ended)) revert Dispute_ChallengeOpen(game.challenge);
        --ended.openGames;
        game.status = GameStatus.Returned;
        emit GameEnded(gameId, GameStatus.Returned);
        _credit(game.defender, gameBond);
    }

    /// @inheritdoc IDispute
    function challengeCount() external view returns (uint256) {
        return _challenges.length;
    }

    /// @inheritdoc IDispute
    function gameCount() external view returns (uint256) {
        return _games.length;
    }

    /// @inheritdoc IDispute
    function challengeAt(uint256 challengeId) external view returns (Challenge memory) {
        return _challengeAt(challengeId);
    }

    /// @inheritdoc IDispute
    function gameAt(uint256 gameId) external view returns (Game memory) {
        return _gameAt(gameId);
    }

    /// @inheritdoc IDispute
    function hashOf(Bisection calldata bisection) external pure returns (bytes32) {
        return bisection.hash();
    }

    function _move(uint256 gameId, Game storage game, Bisection calldata answered, Answer calldata answer)
        private
    {
        _takeTime(gameId, game);
        Bisection memory bisection = _divide(_segment(game, answered, answer.segment), answer);
        bytes32 bisectionHash = bisection.hash();
        game.bisection = bisectionHash;
        game.status = game.status == GameStatus.ChallengerToMove
            ? GameStatus.DefenderToMove
            : GameStatus.ChallengerToMove;
        emit Moved(gameId, bisectionHash, game.status, game.challengerClock, game.defenderClock, bisection);
    }

    /// @dev Stops the mover's clock.
    function _takeTime(uint256 gameId, Game storage game) private {
        uint256 clock = _clock(game);
        uint256 elapsed = block.timestamp - game.movedAt;
        if (elapsed > clock) revert Dispute_ClockRanOut(gameId, game.movedAt + clock);
        uint256 left = clock - elapsed;
        if (left < gameIncrement) left = gameIncrement;
        if (game.status == GameStatus.ChallengerToMove) game.challengerClock = uint24(left);
        else game.defenderClock = uint24(left);
        game.movedAt = uint40(block.timestamp);
    }

    /// @dev Builds the bisection of the mover's claims within a segment.
    function _divide(Segment memory segment, Answer calldata answer)
        private
        pure
        returns (Bisection memory bisection)
    {
        uint64 length = segment.last - segment.first;
        bisection.answered = segment.answered;
        bisection.claims = answer.claims;
        bytes32 end =
            bisection.claims.length == 0 ? bytes32(0) : bisection.claims[bisection.claims.length - 1];
        if (length > 1) {
            if (answer.finalState.length != 0) revert Dispute_UnexpectedFinalState();
            if (end == segment.end) revert Dispute_SameClaim(end);
            bisection.phase = segment.phase;
            bisection.block = segment.block;
            bisection.agreedRoot = segment.agreedRoot;
            bisection.first = segment.first;
            bisection.last = segment.last;
            bisection.start = segment.start;
        } else {
            if (segment.phase == Phase.Machine) revert Dispute_SingleStep();
            bytes32 root = _outputRootOf(end, answer.finalState);
            if (root == segment.end) revert Dispute_SameClaim(root);
            bisection.phase = Phase.Machine;
            bisection.block = segment.first;
            bisection.agreedRoot = segment.start;
            bisection.last = MACHINE_STEPS;
            bisection.start = ProgramState.INITIAL_STATE;
            length = MACHINE_STEPS;
        }
        uint64 count = length.count();
        if (bisection.claims.length != count) {
            revert Dispute_WrongClaimCount(count, bisection.claims.length);
        }
    }

    /// @dev The output root in the registers of a program that halted with exit code 0.
    function _outputRootOf(bytes32 claimed, bytes calldata finalState) private pure returns (bytes32) {
        _checkState(claimed, finalState);
        bytes memory machine = finalState;
        bool well = machine.isCanonical() && machine.exited() && machine.exitCode() == 0;
        if (!well) revert Dispute_NotHaltedWell();
        return machine.outputRoot();
    }

    function _checkState(bytes32 expected, bytes calldata state) private pure {
        bytes32 found = keccak256(state);
        if (found != expected || state.length != RiscvState.BYTES) {
            revert Dispute_WrongState(expected, found);
        }
    }

    /// @dev The segment at `index` of the bisection that the mover answers.
    function _segment(Game storage game, Bisection calldata answered, uint64 index)
        private
        view
        returns (Segment memory segment)
    {
        if (index >= answered.claims.length) revert Dispute_NoSuchSegment(index, answered.claims.length);
        segment = answered.segmentAt(index);
        bytes32 expected = game.bisection;
        if (segment.answered != expected) revert Dispute_WrongBisection(expected, segment.answered);
    }

    /// @dev The output as a segment over all blocks that its entries may have. A challenge answers this
    ///      segment.
    function _outputSegment(uint256 index) private view returns (Segment memory segment) {
        Output memory output = rollup.output(index);
        Output memory parent = rollup.output(output.parentIndex);
        segment.answered = output.claim;
        segment.phase = Phase.Blocks;
        segment.last = (output.entry - parent.entry) * blocksPerEntryMax;
        segment.start = parent.outputRoot;
        segment.end = output.outputRoot;
    }

    function _localInputs(uint256 index, Segment memory step) private view returns (LocalInputs memory) {
        uint64 parentEntry = rollup.output(rollup.output(index).parentIndex).entry;
        return LocalInputs({
            chainConfig: inbox.chainConfigHash(),
            outputRoot: step.agreedRoot,
            inboxAcc: inbox.acc(parentEntry + 1 + step.block / blocksPerEntryMax),
            blockIndex: step.block % blocksPerEntryMax,
            dataMissing: false
        });
    }

    function _end(uint256 gameId, Game storage game, bool challengerWon) private {
        Challenge storage disputed = _challenges[game.challenge];
        --disputed.openGames;
        game.status = challengerWon ? GameStatus.ChallengerWon : GameStatus.DefenderWon;
        emit GameEnded(gameId, game.status);
        if (challengerWon) {
            _forfeit(gameBond, disputed.challenger);
        } else {
            _endChallenge(game.challenge, disputed, ChallengeStatus.Failed);
            _credit(game.defender, gameBond);
            rollup.upholdOutput(disputed.output);
            _forfeit(gameBond, game.defender);
        }
    }

    function _endChallenge(uint256 challengeId, Challenge storage ended, ChallengeStatus status) private {
        ended.status = status;
        emit ChallengeEnded(challengeId, status);
    }

    /// @dev Burns a part of a lost bond and credits the rest to the winner.
    function _forfeit(uint256 bond, address winner) private {
        uint256 burned = bond / BURNED_PART;
        _credit(winner, bond - burned);
        emit BondBurned(burned);
        new EtherBurner{ value: burned }();
    }

    function _checkBond() private view {
        if (msg.value != gameBond) revert Dispute_WrongBond(gameBond, msg.value);
    }

    /// @dev The game, in which it must be the caller's turn.
    function _mover(uint256 gameId) private view returns (Game storage game, Challenge storage disputed) {
        (game, disputed) = _openGame(gameId);
        address mover = game.status == GameStatus.ChallengerToMove ? disputed.challenger : game.defender;
        if (msg.sender != mover) revert Dispute_NotYourMove(mover, msg.sender);
    }

    function _openGame(uint256 gameId) private view returns (Game storage game, Challenge storage disputed) {
        game = _gameAt(gameId);
        _checkRuns(gameId, game);
        disputed = _openChallenge(game.challenge);
    }

    function _checkRuns(uint256 gameId, Game storage game) private view {
        GameStatus status = game.status;
        bool runs = status == GameStatus.ChallengerToMove || status == GameStatus.DefenderToMove;
        if (!runs) revert Dispute_GameOver(gameId, status);
    }

    function _openChallenge(uint256 challengeId) private view returns (Challenge storage open) {
        open = _challengeAt(challengeId);
        if (!_isPlayable(open)) revert Dispute_ChallengeOver(challengeId);
    }

    function _isPlayable(Challenge storage played) private view returns (bool) {
        return played.status == ChallengeStatus.Open && !_isRejected[played.output];
    }

    /// @dev Seconds that the mover had left at the last move.
    function _clock(Game storage game) private view returns (uint256) {
        return game.status == GameStatus.ChallengerToMove ? game.challengerClock : game.defenderClock;
    }

    function _challengeAt(uint256 challengeId) private view returns (Challenge storage) {
        if (challengeId >= _challenges.length) revert Dispute_UnknownChallenge(challengeId);
        return _challenges[challengeId];
    }

    function _gameAt(uint256 gameId) private view returns (Game storage) {
        if (gameId >= _games.length) revert Dispute_UnknownGame(gameId);
        return _games[gameId];
    }
}
