// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IBonds } from "./IBonds.sol";
import { IInbox } from "./IInbox.sol";
import { IRiscvStep } from "./IRiscvStep.sol";
import { IRollup } from "./IRollup.sol";

/// @notice The unit of a bisection's positions.
enum Phase {
    Blocks,
    Machine
}

/// @notice One side's claims at even distances over a range. Both sides agree at the beginning of the range; at its end
///         the other side claimed something else.
///
///         In phase Blocks, position p is the output root p blocks after the parent output. Every entry counts as having
///         the maximum number of blocks; missing blocks change nothing. In phase Machine,
///         position p is the hash of the proof machine's state after p steps.
struct Bisection {
    /// Hash of the bisection that this one answers. In a challenge's first bisection, the output's claim.
    bytes32 answered;
    Phase phase;
    /// Machine: the block, which starts at position `block`. Blocks: 0.
    uint64 block;
    /// Machine: the output root before the block. Blocks: 0.
    bytes32 agreedRoot;
    /// First and last position of the range.
    uint64 first;
    uint64 last;
    /// The value at `first`, on which both sides agree.
    bytes32 start;
    /// Claims at first + stride, first + 2 * stride, …, and at `last`, with
    /// stride = ceil((last - first) / claims.length).
    bytes32[] claims;
}

/// @notice A move that answers a bisection with another one.
struct Answer {
    /// Index, from 0, of the answered bisection's segment that begins right and ends wrong.
    uint64 segment;
    /// The mover's claims within the segment. The last one differs from the other side's.
    bytes32[] claims;
    /// If the segment is a single block, the machine's encoded final state: halted with code 0, with an output root that
    /// differs from the other side's claim. Its hash is the last of `claims`. Otherwise empty.
    bytes finalState;
}

/// @notice Status of a challenge.
enum ChallengeStatus {
    None,
    Open,
    /// The challenger won every game and nobody can open another: the output is rejected.
    Won,
    /// A defender won a game.
    Failed,
    /// Another challenge was won first.
    Moot
}

/// @notice A challenge of an output. Anyone may defend the output, each in a game of their own.
struct Challenge {
    address challenger;
    /// L1 time in seconds.
    uint40 startedAt;
    /// Games that are neither decided nor returned.
    uint32 openGames;
    ChallengeStatus status;
    /// Index of the output.
    uint64 output;
    /// Hash of the challenger's first bisection, which every defender answers.
    bytes32 bisection;
}

/// @notice Status of a game.
enum GameStatus {
    None,
    ChallengerToMove,
    DefenderToMove,
    ChallengerWon,
    DefenderWon,
    /// It ended without a winner: its challenge was decided by another game.
    Returned
}

/// @notice A challenger against one defender.
struct Game {
    address defender;
    /// L1 time of the last move, in seconds.
    uint40 movedAt;
    /// Seconds that each side has left for its moves, as of the last move.
    uint24 challengerClock;
    uint24 defenderClock;
    GameStatus status;
    uint64 challenge;
    /// Hash of the bisection to answer.
    bytes32 bisection;
}

/// @notice Parameters of disputes, fixed at deployment.
struct DisputeConfig {
    /// Most blocks that one entry derives; times the rollup's entriesPerOutputMax(), at most 2^28.
    uint64 blocksPerEntryMax;
    /// Bond of a challenger and of each defender, in wei; not zero.
    uint256 gameBond;
    /// Seconds that each side of a game has for all its moves; also how long a challenge can be defended.
    uint24 gameClock;
    /// Seconds that each side has at least for its next move.
    uint24 gameIncrement;
}

/// @title IDispute
/// @notice Decides whether an output is right. A challenge divides the computation from the parent output to this one
///         into parts and claims the result of each. A defender names the first part whose result it disputes and
///         divides that part. The sides alternate until a part is one instruction, which L1 executes. A side that has
///         to move and cannot loses.
///
///         A truthful side has an answer to every claim. A right challenge therefore beats every defender and rejects
///         the output; a wrong one loses to the first honest defender. Games are independent: nobody loses because of
///         another party's moves.
///
///         Half of a lost bond goes to the winner, half is burned, so that nobody recovers a bond by playing against
///         themselves.
interface IDispute is IBonds {
    /// @notice The configuration is invalid: it makes no playable game, or one that may outlast blob data, or the rollup
    ///         has another dispute contract.
    error Dispute_BadConfig();
    /// @notice The ether sent along is not exactly the bond.
    error Dispute_WrongBond(uint256 expected, uint256 found);
    /// @notice Only the rollup may send ether without a call.
    error Dispute_NotRollup(address caller);
    /// @notice The challenge does not exist.
    error Dispute_UnknownChallenge(uint256 challenge);
    /// @notice The game does not exist.
    error Dispute_UnknownGame(uint256 game);
    /// @notice The challenge is decided, or its output is rejected.
    error Dispute_ChallengeOver(uint256 challenge);
    /// @notice The challenge is not decided, nor its output rejected.
    error Dispute_ChallengeOpen(uint256 challenge);
    /// @notice The challenge can still be defended.
    error Dispute_DefenceOpen(uint256 challenge, uint256 endsAt);
    /// @notice The challenge could be defended until then.
    error Dispute_DefenceOver(uint256 challenge, uint256 endedAt);
    /// @notice Games of the challenge are still open.
    error Dispute_GamesOpen(uint256 challenge, uint32 openGames);
    /// @notice The game is decided.
    error Dispute_GameOver(uint256 game, GameStatus status);
    /// @notice It is another account's move.
    error Dispute_NotYourMove(address expected, address found);
    /// @notice The mover's clock has run out.
    error Dispute_ClockRanOut(uint256 game, uint256 endedAt);
    /// @notice The mover's clock has not run out.
    error Dispute_ClockRuns(uint256 game, uint256 endsAt);
    /// @notice The bisection to answer is another one: somebody moved before, or L1 reorganised.
    error Dispute_WrongBisection(bytes32 expected, bytes32 found);
    /// @notice The segment does not exist.
    error Dispute_NoSuchSegment(uint64 segment, uint256 count);
    /// @notice The segment must be divided into `expected` parts.
    error Dispute_WrongClaimCount(uint256 expected, uint256 found);
    /// @notice The last claim is the other side's.
    error Dispute_SameClaim(bytes32 claim);
    /// @notice A single step cannot be divided: prove it.
    error Dispute_SingleStep();
    /// @notice The segment is more than a single step.
    error Dispute_NotSingleStep(Phase phase, uint64 count);
    /// @notice Only an answer to a single block carries a final state.
    error Dispute_UnexpectedFinalState();
    /// @notice The final state is not that of a machine that halted with code 0.
    error Dispute_NotHaltedWell();
    /// @notice The state is not the one that was claimed.
    error Dispute_WrongState(bytes32 expected, bytes32 found);
    /// @notice The other side's claim equals the step's result.
    error Dispute_StepIsRight(bytes32 state);

    /// @notice An output was challenged, with these first claims.
    event ChallengeOpened(
        uint256 indexed challenge,
        uint256 indexed output,
        address indexed challenger,
        bytes32 bisectionHash,
        Bisection bisection
    );

    /// @notice A defender opened a game; its first move follows.
    event GameOpened(uint256 indexed game, uint256 indexed challenge, address indexed defender);

    /// @notice A side answered a bisection with another one; the other side is to move.
    event Moved(
        uint256 indexed game,
        bytes32 indexed bisectionHash,
        GameStatus status,
        uint24 challengerClock,
        uint24 defenderClock,
        Bisection bisection
    );

    /// @notice L1 executed the disputed step. Its result `state` differs from the claim.
    event StepProven(uint256 indexed game, bytes32 claimed, bytes32 state);

    /// @notice A side's clock ran out.
    event TimedOut(uint256 indexed game);

    /// @notice A game is over.
    event GameEnded(uint256 indexed game, GameStatus status);

    /// @notice A challenge is over.
    event ChallengeEnded(uint256 indexed challenge, ChallengeStatus status);

    /// @notice A part of a lost bond was burned.
    event BondBurned(uint256 amount);

    /// @notice Challenges an output within its window; send exactly gameBond().
    /// @dev WARNING: challenge a false output even if somebody else has: the other challenger may lose on purpose.
    ///      WARNING: check the parent's root first. If it is wrong, no claim after it can be right: challenge the
    ///      parent instead.
    /// @param output Index of the output.
    /// @param claim The output's claim.
    /// @param answer Answer to the output, taken as a single segment 0 from the parent's root to its own.
    function challenge(uint256 output, bytes32 claim, Answer calldata answer)
        external
        payable
        returns (uint256 challengeId);

    /// @notice Defends an output against a challenge, with the first answer to it; send exactly gameBond(). Anyone may,
    ///         for gameClock() seconds from the challenge on.
    /// @dev WARNING: defend a true output even if somebody else does: the other defender may lose on purpose.
    function defend(uint256 challengeId, Bisection calldata answered, Answer calldata answer)
        external
        payable
        returns (uint256 gameId);

    /// @notice Answers the other side's bisection with another one.
    function move(uint256 gameId, Bisection calldata answered, Answer calldata answer) external;

    /// @notice Answers a segment of one step by executing it: the caller wins if the claim at its end is wrong.
    /// @dev The preimage oracle must hold what the step reads; see IRiscvStep for `state` and `proof`.
    function prove(
        uint256 gameId,
        Bisection calldata answered,
        uint64 segment,
        bytes calldata state,
        bytes calldata proof
    ) external;

    /// @notice Ends a game in which the mover's clock has run out. Anyone may call it.
    function timeOut(uint256 gameId) external;

    /// @notice Ends a challenge. It is won once nobody can defend any more and no game is open. If another challenge
    ///         rejected the output, the bond is returned. Anyone may call it.
    function resolve(uint256 challengeId) external;

    /// @notice Returns the defender's bond of an open game whose challenge is over. Anyone may call it.
    function returnBond(uint256 gameId) external;

    /// @notice Number of challenges. They are counted from 0.
    function challengeCount() external view returns (uint256);

    /// @notice Number of games. They are counted from 0.
    function gameCount() external view returns (uint256);

    /// @notice The challenge with this number.
    function challengeAt(uint256 challengeId) external view returns (Challenge memory);

    /// @notice The game with this number.
    function gameAt(uint256 gameId) external view returns (Game memory);

    /// @notice Hash of a bisection: keccak256(abi.encode(bisection)).
    function hashOf(Bisection calldata bisection) external pure returns (bytes32);

    /// @notice The outputs.
    function rollup() external view returns (IRollup);

    /// @notice The inbox.
    function inbox() external view returns (IInbox);

    /// @notice The contract that executes single steps.
    function riscvStep() external view returns (IRiscvStep);

    /// @notice Most blocks that one entry derives.
    function blocksPerEntryMax() external view returns (uint64);

    /// @notice Bond of a challenger and of each defender, in wei.
    function gameBond() external view returns (uint256);

    /// @notice Seconds that each side of a game has for all its moves.
    function gameClock() external view returns (uint24);

    /// @notice Seconds that each side has at least for its next move.
    function gameIncrement() external view returns (uint24);

    /// @notice Most seconds from a challenge to the end of its last game.
    function disputeSecondsMax() external view returns (uint256);
}
