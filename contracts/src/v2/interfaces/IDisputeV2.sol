// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IInbox } from "../../interfaces/IInbox.sol";
import { IRiscvStep } from "../../interfaces/IRiscvStep.sol";
import { Bisection } from "../lib/BisectionLibV2.sol";
import { Path } from "../lib/HistoryLib.sol";
import { ILostBonds } from "./ILostBonds.sol";
import { IPrograms } from "./IPrograms.sol";
import { IRollupV2 } from "./IRollupV2.sol";
import { ITournament } from "./ITournament.sol";

/// @notice Status of an account's stake in a tournament.
enum StakeStatus {
    None,
    Standing,
    /// Its account lost a game.
    Fallen,
    Returned
}

/// @notice What an account stakes in a tournament, for all its games there.
struct Stake {
    StakeStatus status;
    /// Games of the account that are not over.
    uint64 openGames;
}

/// @notice Two rivals about whose first difference somebody accused; x is the one with the lower seat.
struct Match {
    /// L1 time since which accusations are due, in seconds; zero if nobody accused.
    uint64 startedAt;
    /// What the clocks of x and y had left then.
    uint64 clockX;
    uint64 clockY;
    /// Accusations that were not struck.
    uint64 standing;
    /// Who is paid if that side wins.
    address revealerX;
    address revealerY;
    /// Who felled the last accuser; zero if none fell.
    address lastStriker;
}

/// @notice An account says that a block comes to y's root.
struct Accusation {
    address accuser;
    /// L1 time in seconds.
    uint64 accusedAt;
    uint256 tournament;
    uint64 x;
    uint64 y;
    /// What the accuser's clock has left.
    uint64 clock;
    /// Whether its accuser fell.
    bool isStruck;
    /// Hash of the first bisection, which every defender answers.
    bytes32 bisection;
}

/// @notice Status of a game.
enum GameStatus {
    None,
    AccuserToMove,
    DefenderToMove,
    AccuserWon,
    DefenderWon,
    /// One of its accounts fell in another game.
    Closed
}

/// @notice An accuser against one defender.
struct Game {
    address defender;
    /// L1 time of the last move, in seconds.
    uint64 movedAt;
    uint64 accusation;
    /// Seconds that each side has left for its moves, as of the last move.
    uint64 accuserClock;
    uint64 defenderClock;
    GameStatus status;
    /// Hash of the bisection to answer.
    bytes32 bisection;
}

/// @notice What an account says about a block when it accuses.
struct Opening {
    /// The leaf before the block, which both histories have, and its siblings in x's. For leaf 0, the parent's output root
    /// and none.
    bytes32 before;
    bytes32[] beforeSiblings;
    /// Hashes of the machine's states at 2^35, 2 * 2^35, …, 2^40 steps.
    bytes32[] claims;
    /// The last of these states, encoded. By the total rule it gives y's root.
    bytes finalState;
}

/// @title IDisputeV2
/// @notice Where accounts play about a single block, each for itself, with a stake of its own. Anyone accuses x for y's side;
///         anyone answers for x's. The two divide the machine's run until a part is one instruction, which L1 executes. A
///         side that has to move and cannot loses.
///
///         A truthful side has an answer to every claim. So a right accusation stands, whoever answers, and puts x out; a
///         false one falls to the first honest defender, and once none is left, y is out. Accomplices can only fell
///         themselves.
///
///         An account that loses a game has fallen in the tournament: its accusations do not count any more, and its other
///         games there are over. It answers the same accuser once. Games go on for the stakes when their commitments are
///         decided.
interface IDisputeV2 is ILostBonds {
    /// @notice The configuration is invalid, or the contracts do not belong together.
    error Dispute_BadConfig();
    /// @notice The ether sent along is not exactly what the account has to stake.
    error Dispute_WrongStake(uint256 expected, uint256 found);
    /// @notice The account fell in this tournament, or took its stake back.
    error Dispute_StakeNotStanding(address account, StakeStatus status);
    /// @notice The accusation does not exist.
    error Dispute_UnknownAccusation(uint256 accusation);
    /// @notice The game does not exist.
    error Dispute_UnknownGame(uint256 game);
    /// @notice Nobody has accused.
    error Dispute_UnknownMatch(uint256 x, uint256 y);
    /// @notice The reveals are not complete, the path ends before the leaves, or a side has failed.
    error Dispute_NotRevealed(uint256 x, uint256 y);
    /// @notice The leaf is past the range's blocks.
    error Dispute_PastBlocks(uint256 leaf, uint256 positions);
    /// @notice The account has accused in this match.
    error Dispute_AlreadyAccused(uint256 x, uint256 y, address account);
    /// @notice The time to accuse is over, or still runs.
    error Dispute_AccusationsOver(uint256 endedAt);
    error Dispute_AccusationsOpen(uint256 endsAt);
    /// @notice Accusations still stand.
    error Dispute_AccusationsStand(uint256 count);
    /// @notice The root before block 0 is the parent's output root.
    error Dispute_WrongRootBefore(bytes32 expected, bytes32 found);
    /// @notice The block does not come to the root that it has to.
    error Dispute_WrongRoot(bytes32 expected, bytes32 found);
    /// @notice The accuser has fallen, or its stake went back.
    error Dispute_AccusationNotStanding(uint256 accusation);
    /// @notice The accuser's stake stands, or the accusation was struck before.
    error Dispute_NothingToStrike(uint256 accusation);
    /// @notice The time to answer is over, or still runs.
    error Dispute_AnswersOver(uint256 accusation, uint256 endedAt);
    error Dispute_AnswersOpen(uint256 accusation, uint256 endsAt);
    /// @notice The account has answered this accuser, or is the accuser.
    error Dispute_AlreadyMet(address accuser, address account);
    /// @notice The account has open games.
    error Dispute_GamesOpen(address account, uint64 openGames);
    /// @notice The game is decided, or one of its accounts has fallen, or its generation is over.
    error Dispute_GameOver(uint256 game);
    /// @notice The game is over, or neither of its accounts has fallen.
    error Dispute_NothingToClose(uint256 game);
    /// @notice It is another account's move.
    error Dispute_NotYourMove(address expected, address found);
    /// @notice The mover's clock has run out, or has not.
    error Dispute_ClockRanOut(uint256 game, uint256 endedAt);
    error Dispute_ClockRuns(uint256 game, uint256 endsAt);
    /// @notice The segment is more than a single step.
    error Dispute_NotSingleStep(uint64 steps);
    /// @notice The state is not the one that was claimed, or is not encoded canonically.
    error Dispute_WrongState(bytes32 expected, bytes32 found);
    /// @notice The other side's claim equals the step's result.
    error Dispute_StepIsRight(bytes32 state);
    /// @notice The tournament is not decided.
    error Dispute_TournamentOpen(uint256 tournament);

    /// @notice An account staked in a tournament.
    event Staked(uint256 indexed tournament, address indexed account);

    /// @notice An account accused x for y's side.
    event Accused(
        uint256 indexed accusation,
        uint256 indexed x,
        uint256 indexed y,
        address accuser,
        bytes32 rootX,
        bytes32 rootY,
        Bisection bisection,
        bytes finalState
    );

    /// @notice A defender of x opened a game; its first move follows.
    event Answered(uint256 indexed game, uint256 indexed accusation, address indexed defender);

    /// @notice A side answered a bisection with another one; the other side is to move.
    event Moved(
        uint256 indexed game,
        bytes32 indexed bisectionHash,
        GameStatus status,
        uint64 accuserClock,
        uint64 defenderClock,
        Bisection bisection
    );

    /// @notice L1 executed the disputed step. Its result `state` differs from the claim.
    event StepProven(uint256 indexed game, bytes32 claimed, bytes32 state);

    /// @notice A game is over.
    event GameEnded(uint256 indexed game, GameStatus status);

    /// @notice An account fell in a tournament. A quarter of its stake went to each of the two accounts, the rest is burned.
    event Fallen(uint256 indexed tournament, address indexed account, address indexed winner, address ender);

    /// @notice An accusation does not count any more: its accuser fell.
    event Struck(uint256 indexed accusation, address indexed striker);

    /// @notice A stake went back.
    event Released(uint256 indexed tournament, address indexed account);

    /// @notice Accuses x, for y: the block at the leaf in which they differ first comes to y's root. With an account's first
    ///         accusation or answer in a tournament send exactly stakeAmount(), later nothing. All reveals of both must be
    ///         complete, in time.
    /// @dev WARNING: accuse a false child even if somebody else has: the other accuser may lose on purpose.
    /// @param path The path to the leaf.
    function accuse(uint256 x, uint256 y, Path calldata path, Opening calldata opening)
        external
        payable
        returns (uint256 accusation);

    /// @notice Answers an accusation, for x, and opens a game. Pays as accuse() does.
    /// @dev WARNING: answer a false accusation even if somebody else has: the other defender may lose on purpose.
    /// @param answered The accusation's bisection.
    /// @param segment Index, from 0, of its segment that begins right and ends wrong.
    /// @param claims The states that the defender claims within it.
    function answer(
        uint256 accusation,
        Bisection calldata answered,
        uint64 segment,
        bytes32[] calldata claims
    ) external payable returns (uint256 gameId);

    /// @notice Answers the other side's bisection with another one.
    function move(uint256 gameId, Bisection calldata answered, uint64 segment, bytes32[] calldata claims)
        external;

    /// @notice Answers a segment of one step by executing it: the caller wins if the claim at its end is wrong.
    /// @dev The preimage oracle must hold what the step reads; see IRiscvStep for `state` and `proof`.
    function prove(
        uint256 gameId,
        Bisection calldata answered,
        uint64 segment,
        bytes calldata state,
        bytes calldata proof
    ) external;

    /// @notice Ends a game in which the mover's clock has run out. Anyone may call it and is paid.
    function timeOutGame(uint256 gameId) external;

    /// @notice Takes an accusation out of its match whose accuser fell elsewhere. Anyone may call it.
    function strike(uint256 accusation) external;

    /// @notice Ends a game one of whose accounts fell elsewhere. Anyone may call it.
    function close(uint256 gameId) external;

    /// @notice Rejects x: an accusation stands, the time to answer it is over, and its accuser has no open game in the
    ///         tournament. Anyone may call it.
    function settleAccusation(uint256 accusation) external;

    /// @notice Rejects y: the time to accuse is over, and no accusation stands. Anyone may call it.
    function settleMatch(uint256 x, uint256 y) external;

    /// @notice Credits an account its stake once the tournament is decided, or its parent is rejected or void, and the
    ///         account has no open game; or once its generation is over. Anyone may call it.
    function release(uint256 tournament, address account) external;

    /// @notice Whether anybody has accused in a match.
    function isAccused(uint256 x, uint256 y) external view returns (bool);

    /// @notice The match of two rivals; zeros if nobody has accused.
    function matchOf(uint256 x, uint256 y) external view returns (Match memory);

    /// @notice An account's stake in a tournament.
    function stakeOf(uint256 tournament, address account) external view returns (Stake memory);

    /// @notice Whether an account has answered an accuser in a tournament.
    function hasMet(uint256 tournament, address accuser, address account) external view returns (bool);

    /// @notice Number of accusations, and the one with a number. They are counted from 0.
    function accusationCount() external view returns (uint256);
    function accusationAt(uint256 accusation) external view returns (Accusation memory);

    /// @notice Number of games, and the one with a number. They are counted from 0.
    function gameCount() external view returns (uint256);
    function gameAt(uint256 gameId) external view returns (Game memory);

    /// @notice Hash of a bisection: keccak256(abi.encode(bisection)).
    function hashOf(Bisection calldata bisection) external pure returns (bytes32);

    /// @notice The outputs, the tournaments, the programs, the inbox, and the contract that executes single steps.
    function rollup() external view returns (IRollupV2);
    function tournaments() external view returns (ITournament);
    function programs() external view returns (IPrograms);
    function inbox() external view returns (IInbox);
    function riscvStep() external view returns (IRiscvStep);

    /// @notice What an account stakes in a tournament, in wei.
    function stakeAmount() external view returns (uint256);
}
