// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IBonds } from "./IBonds.sol";
import { IInbox } from "./IInbox.sol";
import { IRiscvStep } from "./IRiscvStep.sol";
import { IRollup } from "./IRollup.sol";

/// @notice What a bisection's positions count.
enum Phase {
    Blocks,
    Machine
}

/// @notice One side's claims, in even distances over a range: each is what it says the truth to be at its position. At
///         the range's beginning both sides agree; its end is what the other side claimed otherwise.
///
///         In phase Blocks, position p is the output root after p blocks from the parent output on, every entry having
///         as many as the most that one may have; those that it does not have change nothing. In phase Machine,
///         position p is the hash of the proof machine's state after p steps.
struct Bisection {
    /// Hash of the bisection that this one answers; of the first one of a challenge, the output's claim.
    bytes32 answered;
    Phase phase;
    /// Machine: which block; position `block` is before it. Blocks: 0.
    uint64 block;
    /// Machine: the output root before the block. Blocks: 0.
    bytes32 agreedRoot;
    /// Positions where the range begins and ends.
    uint64 first;
    uint64 last;
    /// What both sides agree on at `first`.
    bytes32 start;
    /// What is claimed at first + stride, first + 2 * stride, …, and at `last`, with
    /// stride = ceil((last - first) / claims.length).
    bytes32[] claims;
}

/// @notice A move that answers a bisection with another one.
struct Answer {
    /// Of the answered bisection's segments, the one whose beginning is right and whose end is wrong; from 0.
    uint64 segment;
    /// What the mover claims within the segment; the last of them is not what the other side claims.
    bytes32[] claims;
    /// The machine's last state, encoded, if the segment is a single block: halted with code 0, and with an output root
    /// that is not what the other side claims. Its hash is the last of `claims`. Else empty.
    bytes finalState;
}

/// @notice How a challenge stands.
enum ChallengeStatus {
    None,
    Open,
    /// Every game was won by the challenger and nobody can open another: the output is rejected.
    Won,
    /// A game was won by a defender.
    Failed,
    /// Another challenge was won first.
    Moot
}

/// @notice That somebody disagrees with an output. Anyone may defend the output, each in a game of their own.
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

/// @notice How a game stands.
enum GameStatus {
    None,
    ChallengerToMove,
    DefenderToMove,
    ChallengerWon,
    DefenderWon,
    /// It came to nothing: its challenge was decided elsewhere.
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
    /// Hash of the bisection to be answered.
    bytes32 bisection;
}

/// @notice Parameters of disputes, fixed at deployment.
struct DisputeConfig {
    /// Most blocks that one entry derives.
    uint64 blocksPerEntryMax;
    /// Wei that a challenger puts up, and each defender.
    uint256 gameBond;
    /// Seconds that each side of a game has for all its moves; also how long a challenge can be defended.
    uint24 gameClock;
    /// Seconds that each side has at least for its next move.
    uint24 gameIncrement;
}

/// @title IDispute
/// @notice Finds out whether an output is right. A challenge divides the way from the parent output to this one into
///         parts, and says what is true at the end of each; a defender names the first part whose end it disputes, and
///         divides that; and so on, until a part is one instruction, which L1 runs itself. Who has to move and cannot
///         has lost.
///
///         A side that says the truth has an answer to whatever the other says. So a challenge that is right beats every
///         defender, and rejects the output; one that is wrong is beaten by the first defender who is right. No move
///         of one game is seen by another, so nobody loses for what others do.
///
///         Of a bond that is lost, half goes to the winner and half is burned, so that nobody gets it back by playing
///         against themselves.
interface IDispute is IBonds {
    /// @notice The configuration makes no working game, or one that may take longer than blob data is kept, or the rollup
    ///         has another dispute contract.
    error Dispute_BadConfig();
    /// @notice The ether sent along is not exactly the bond.
    error Dispute_WrongBond(uint256 expected, uint256 found);
    /// @notice Nobody but the rollup sends ether without a call.
    error Dispute_NotRollup(address caller);
    /// @notice There is no such challenge.
    error Dispute_UnknownChallenge(uint256 challenge);
    /// @notice There is no such game.
    error Dispute_UnknownGame(uint256 game);
    /// @notice The challenge is decided, or its output is rejected.
    error Dispute_ChallengeOver(uint256 challenge);
    /// @notice The challenge is not decided, nor its output rejected.
    error Dispute_ChallengeOpen(uint256 challenge);
    /// @notice The challenge can still be defended.
    error Dispute_DefenceOpen(uint256 challenge, uint256 endsAt);
    /// @notice The challenge could be defended until then.
    error Dispute_DefenceOver(uint256 challenge, uint256 endedAt);
    /// @notice Games of the challenge are not decided.
    error Dispute_GamesOpen(uint256 challenge, uint32 openGames);
    /// @notice The game is decided.
    error Dispute_GameOver(uint256 game, GameStatus status);
    /// @notice It is another account's move.
    error Dispute_NotYourMove(address expected, address found);
    /// @notice The mover's clock has run out.
    error Dispute_ClockRanOut(uint256 game, uint256 endedAt);
    /// @notice The mover's clock has not run out.
    error Dispute_ClockRuns(uint256 game, uint256 endsAt);
    /// @notice Something else was moved before, or L1 reorganised.
    error Dispute_WrongBisection(bytes32 expected, bytes32 found);
    /// @notice The bisection has no such segment.
    error Dispute_NoSuchSegment(uint64 segment, uint256 count);
    /// @notice The segment has to be divided into as many parts as this.
    error Dispute_WrongClaimCount(uint256 expected, uint256 found);
    /// @notice The last claim is the other side's.
    error Dispute_SameClaim(bytes32 claim);
    /// @notice A single step is not divided, it is proven.
    error Dispute_SingleStep();
    /// @notice There is more than a single step to be proven.
    error Dispute_NotSingleStep(Phase phase, uint64 count);
    /// @notice A final state only belongs to an answer to a single block.
    error Dispute_UnexpectedFinalState();
    /// @notice The final state is no machine's that halted with code 0.
    error Dispute_NotHaltedWell();
    /// @notice The state is not the one that was claimed.
    error Dispute_WrongState(bytes32 expected, bytes32 found);
    /// @notice The other side's claim is what the step comes to.
    error Dispute_StepIsRight(bytes32 state);

    /// @notice An output was challenged, with these first claims.
    event ChallengeOpened(
        uint256 indexed challenge,
        uint256 indexed output,
        address indexed challenger,
        bytes32 bisectionHash,
        Bisection bisection
    );

    /// @notice A defender has taken up a challenge; its first move follows.
    event GameOpened(uint256 indexed game, uint256 indexed challenge, address indexed defender);

    /// @notice A bisection was answered with another one, by the side that is not to move now.
    event Moved(
        uint256 indexed game,
        bytes32 indexed bisectionHash,
        GameStatus status,
        uint24 challengerClock,
        uint24 defenderClock,
        Bisection bisection
    );

    /// @notice L1 has run the step in question and come to `state`, which is not what was claimed.
    event StepProven(uint256 indexed game, bytes32 claimed, bytes32 state);

    /// @notice A side's clock has run out.
    event TimedOut(uint256 indexed game);

    /// @notice A game is over.
    event GameEnded(uint256 indexed game, GameStatus status);

    /// @notice A challenge is over.
    event ChallengeEnded(uint256 indexed challenge, ChallengeStatus status);

    /// @notice A part of a lost bond was burned.
    event BondBurned(uint256 amount);

    /// @notice Challenges an output within its window; send exactly gameBond().
    /// @dev WARNING: that somebody else has challenged it is no reason not to: whoever it is may lose on purpose.
    ///      WARNING: look at the parent's root first. If that is wrong, nothing right can be said from there on; it is the
    ///      parent that is to be challenged.
    /// @param output Index of the output.
    /// @param claim The output's claim.
    /// @param answer Answer to the output, taken as a single segment 0 from the parent's root to its own.
    function challenge(uint256 output, bytes32 claim, Answer calldata answer)
        external
        payable
        returns (uint256 challengeId);

    /// @notice Defends an output against a challenge, with the first answer to it; send exactly gameBond(). Anyone may,
    ///         for gameClock() seconds from the challenge on.
    /// @dev WARNING: that somebody else defends it is no reason not to: whoever it is may lose on purpose.
    function defend(uint256 challengeId, Bisection calldata answered, Answer calldata answer)
        external
        payable
        returns (uint256 gameId);

    /// @notice Answers the other side's bisection with another one.
    function move(uint256 gameId, Bisection calldata answered, Answer calldata answer) external;

    /// @notice Answers a segment that is one step by running it: if the claim at its end is wrong, the caller wins.
    /// @dev What the step reads must be in the oracle; see IRiscvStep for `state` and `proof`.
    function prove(
        uint256 gameId,
        Bisection calldata answered,
        uint64 segment,
        bytes calldata state,
        bytes calldata proof
    ) external;

    /// @notice Ends a game in which the clock of whoever is to move has run out. Anyone may call it.
    function timeOut(uint256 gameId) external;

    /// @notice Ends a challenge: once it cannot be defended any more and no game is open, it is won. If the output was
    ///         rejected by another, the bond is returned. Anyone may call it.
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

    /// @notice What runs single steps.
    function riscvStep() external view returns (IRiscvStep);

    /// @notice Most blocks that one entry derives.
    function blocksPerEntryMax() external view returns (uint64);

    /// @notice Wei that a challenger puts up, and each defender.
    function gameBond() external view returns (uint256);

    /// @notice Seconds that each side of a game has for all its moves.
    function gameClock() external view returns (uint24);

    /// @notice Seconds that each side has at least for its next move.
    function gameIncrement() external view returns (uint24);

    /// @notice Most seconds from a challenge to the end of its last game.
    function disputeSecondsMax() external view returns (uint256);
}
