// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Entry, IInbox } from "../../interfaces/IInbox.sol";
import { IL2OutputOracle } from "../../interfaces/IL2OutputOracle.sol";
import { OutputRootProof } from "../../interfaces/IRollup.sol";
import { ILostBonds } from "./ILostBonds.sol";

/// @notice Status of an output. Final, Rejected and Void are permanent.
enum Status {
    None,
    /// It may still become final.
    Standing,
    Final,
    /// It lost a match against another child of its parent.
    Rejected,
    /// Its parent is rejected or void, or its generation is over.
    Void
}

/// @notice A commitment to what every block of a range comes to.
struct Output {
    /// keccak256(abi.encode(uint64 generation, bytes32 parentClaim, uint64 entry, bytes32 acc_entry, bytes32 outputRoot,
    ///                      bytes32 history)).
    bytes32 claim;
    bytes32 outputRoot;
    /// Root of the range's history.
    bytes32 history;
    uint256 parentIndex;
    uint64 generation;
    uint64 entry;
    uint64 l2BlockNumber;
    /// L1 time in seconds.
    uint64 proposedAt;
    address proposer;
    Status status;
}

/// @notice An output's place among its parent's children.
struct Contender {
    /// The tournament of its parent's children.
    uint256 tournament;
    bytes32 history;
    address proposer;
    Status status;
    /// Which child of its parent it is, from 0.
    uint64 seat;
    /// Round of the tournament, from 0.
    uint64 round;
    /// L1 time at which it joined the round, and what its clock had left then, in seconds.
    uint64 since;
    uint64 left;
}

/// @notice What a parent's children cover, and how they stand.
struct Range {
    /// The last entry.
    uint64 entry;
    /// L1 time of the first child.
    uint64 firstAt;
    /// Children, and those of them that stand.
    uint64 count;
    uint64 standing;
    /// Blocks of the range, and the depth of their history.
    uint64 positions;
    uint64 depth;
    /// Index of the child that won the tournament; zero if none has.
    uint64 winner;
    /// The indices of the children that stand, combined by exclusive or.
    uint64 xor;
}

/// @notice A child to propose. `parentClaim` and `expectedAcc` bind it to the chain that the proposer saw, across L1 reorgs.
struct Proposal {
    /// Output to build on: one of this generation that stands, or the last final one.
    uint256 parentIndex;
    bytes32 parentClaim;
    /// Last entry of the range.
    uint64 entry;
    /// The inbox accumulator after it.
    bytes32 expectedAcc;
    /// Root of the range's history.
    bytes32 history;
    /// Siblings of the history's last leaf, from the leaf upward: that leaf is the output root.
    bytes32[] siblings;
    /// The last entry, and the one after it if the inbox has one and the range is not full.
    Entry[] rangeProof;
    /// Preimage of the output root.
    OutputRootProof outputProof;
    /// RLP of the L2 block header whose hash is `outputProof.latestBlockhash`.
    bytes header;
}

/// @notice Parameters of a rollup, fixed at deployment. Times are in seconds, amounts in wei; none is zero.
struct RollupConfig {
    /// Rivals of an output may be proposed for this long after the first child of its parent.
    uint64 challengeWindow;
    /// What a side of a match may use up in all, at most challengeWindow.
    uint64 gameClock;
    /// From an output to its children.
    uint64 outputInterval;
    /// Most entries that one output covers.
    uint64 entriesPerOutputMax;
    /// Most blocks that one entry derives, a power of two. Times entriesPerOutputMax at most 2^28.
    uint64 blocksPerEntryMax;
    /// Bond of a proposer.
    uint256 proposerBond;
}

/// @title IRollupV2
/// @notice Outputs: bonded commitments to what every block of a range of entries comes to. All children of an output cover
///         the same range, so there is one right child. Children that contradict each other meet in a tournament; the
///         last one that stands becomes final.
///
///         **Range.** With p the parent's entry and T = parent.proposedAt + outputInterval, the entry k of its children is
///         the last one with time(k) <= T, at least p + 1 and at most p + entriesPerOutputMax. A child may be proposed once
///         T is over, or if k = p + entriesPerOutputMax.
///
///         **History.** A range has n = (k - p) * blocksPerEntryMax positions. Leaf j < 2^d of its history, with
///         d = max(1, ceil(log2 n)), is the output root after min(j + 1, n) blocks, where an entry's missing blocks change
///         nothing. Inner nodes are keccak256(left, right).
///
///         **Total rule.** A block comes to the output root in the registers of the program that judges its entry, if that
///         exits with code 0 within 2^40 steps. If not, the block changes nothing. So every block has one result that can
///         be shown, and no block can stop the chain.
///
///         **Generations.** An escape (see IPrograms) voids all outputs that are not final and opens a new generation at the
///         last final one. Claims hash the generation, so nothing that was said of the old one counts.
/// @dev A tournament is named by its generation and its parent: generation * 2^64 + parent.
interface IRollupV2 is IL2OutputOracle, ILostBonds {
    /// @notice The configuration is invalid.
    error Rollup_BadConfig();
    /// @notice The ether sent along is not exactly the bond.
    error Rollup_WrongBond(uint256 expected, uint256 found);
    /// @notice The output does not exist.
    error Rollup_UnknownOutput(uint256 index, uint256 count);
    /// @notice No output makes this claim.
    error Rollup_UnknownClaim(bytes32 claim);
    /// @notice The output at this index makes another claim.
    error Rollup_WrongClaim(uint256 index, bytes32 expected, bytes32 found);
    /// @notice The caller is not the tournament contract.
    error Rollup_NotTournament(address caller);
    /// @notice The caller is not the contract of the programs.
    error Rollup_NotPrograms(address caller);
    /// @notice The parent is rejected, void, or of an older generation.
    error Rollup_BadParent(uint256 parentIndex, Status status);
    /// @notice The parent still stands or is final.
    error Rollup_ParentStands(uint256 parentIndex, Status status);
    /// @notice The parent is not final.
    error Rollup_ParentNotFinal(uint256 parentIndex, Status status);
    /// @notice The entry is not the last one of the range.
    error Rollup_WrongEntry(uint64 entry, uint64 parentEntry);
    /// @notice The range grows until this time.
    error Rollup_RangeOpen(uint256 parentIndex, uint64 endsAt);
    /// @notice The inbox does not hold the entry that the proposer read.
    error Rollup_WrongAcc(uint64 entry, bytes32 expected, bytes32 found);
    /// @notice The range's proof has another number of entries.
    error Rollup_WrongRangeProof(uint256 expected, uint256 found);
    /// @notice The output root's version is unknown.
    error Rollup_UnknownVersion(bytes32 version);
    /// @notice The header does not hash to the block hash of the output root.
    error Rollup_WrongHeaderHash(bytes32 expected, bytes32 found);
    /// @notice The header's state root is not that of the output root.
    error Rollup_WrongStateRoot(bytes32 expected, bytes32 found);
    /// @notice The L2 block is before the parent's.
    error Rollup_BlockBeforeParent(uint64 l2BlockNumber, uint64 parentL2BlockNumber);
    /// @notice The claim has been made already.
    error Rollup_DuplicateClaim(bytes32 claim, uint256 index);
    /// @notice The output is final, rejected or void.
    error Rollup_NotStanding(uint256 index, Status status);
    /// @notice The window for rivals is over.
    error Rollup_WindowOver(uint256 parentIndex, uint64 endedAt);
    /// @notice The window for rivals is still open.
    error Rollup_WindowOpen(uint256 parentIndex, uint64 endsAt);
    /// @notice The output has not won its tournament.
    error Rollup_NotWinner(uint256 index);
    /// @notice The output has more ancestors that are not final than one call finalizes: finalize one of them first.
    error Rollup_TooManyAncestors(uint256 max);

    /// @notice An output was proposed, as child `seat` of its parent.
    event OutputProposed(
        uint256 indexed index,
        bytes32 indexed claim,
        uint256 indexed tournament,
        uint64 seat,
        uint64 entry,
        uint64 l2BlockNumber,
        address proposer,
        bytes32 history,
        OutputRootProof proof,
        bytes header
    );

    /// @notice An output joined the next round of its tournament.
    event OutputPromoted(uint256 indexed index, uint64 round);

    /// @notice An output won its tournament.
    event TournamentWon(uint256 indexed tournament, uint256 indexed index);

    /// @notice An output was rejected. A quarter of its bond went to each of the two accounts, the rest is burned.
    event OutputRejected(uint256 indexed index, address indexed revealer, address indexed ender);

    /// @notice The bond of an output that became void was returned.
    event OutputVoided(uint256 indexed index);

    /// @notice An output became final; output 0 is from the start.
    event OutputFinalized(uint256 indexed index, bytes32 indexed claim);

    /// @notice A new generation begins at this final output.
    event GenerationOpened(uint64 indexed generation, uint256 indexed from);

    /// @notice Proposes a child; send exactly proposerBond().
    /// @dev WARNING: a child of a false output falls with it. Check the parent first.
    /// @return index The new output's index.
    function propose(Proposal calldata proposal) external payable returns (uint256 index);

    /// @notice Makes an output final that won its tournament, after at most 32 ancestors that are not final; credits the
    ///         proposers' bonds. Anyone may call it once the window for rivals is over.
    function finalize(uint256 index) external;

    /// @notice Credits the bond of an output to its proposer that fell without losing: its parent is rejected or void and
    ///         the window for rivals is over, or its generation is over. Anyone may call it, for parents first.
    function voidOutput(uint256 index) external;

    /// @notice Moves an output to the next round. Only for the tournament contract.
    function promote(uint256 index) external;

    /// @notice Records that an output won its tournament. Only for the tournament contract.
    function crown(uint256 index) external;

    /// @notice Rejects an output: half of its bond is burned, a quarter goes to each of the two accounts. Only for the
    ///         tournament contract.
    function eliminate(uint256 index, address revealer, address ender) external;

    /// @notice Opens a new generation at the last final output. Only for the contract of the programs.
    function openGeneration() external;

    /// @notice Number of outputs, output 0 included.
    function outputCount() external view returns (uint256);

    /// @notice The output at `index`.
    function output(uint256 index) external view returns (Output memory);

    /// @notice Its status. Outputs of an older generation that are not final are void.
    function statusOf(uint256 index) external view returns (Status);

    /// @notice Its place among its parent's children.
    function contender(uint256 index) external view returns (Contender memory);

    /// @notice What the children of a tournament's parent cover, and how they stand; zeros if there are none.
    function range(uint256 tournament) external view returns (Range memory);

    /// @notice The only child of a tournament, or the one that won it; zero if there is none yet.
    function winnerOf(uint256 tournament) external view returns (uint256 index);

    /// @notice Index of the output that makes `claim`.
    function indexOf(bytes32 claim) external view returns (uint256);

    /// @notice The final output with the latest entry, and the L1 time at which it became final.
    function lastFinalIndex() external view returns (uint256);
    function lastFinalAt() external view returns (uint64);

    /// @notice The generation, and the final output at which it began.
    function generation() external view returns (uint64);
    function generationFrom() external view returns (uint256);

    /// @notice The inbox that outputs refer to.
    function inbox() external view returns (IInbox);

    /// @notice Where children of one parent contradict each other.
    function tournament() external view returns (address);

    /// @notice The programs that judge blocks.
    function programs() external view returns (address);

    /// @notice Seconds after a parent's first child in which rivals may be proposed.
    function challengeWindow() external view returns (uint64);

    /// @notice Seconds that a side of a match may use up.
    function gameClock() external view returns (uint64);

    /// @notice Seconds from an output to its children.
    function outputInterval() external view returns (uint64);

    /// @notice Most entries that one output covers.
    function entriesPerOutputMax() external view returns (uint64);

    /// @notice Most blocks that one entry derives.
    function blocksPerEntryMax() external view returns (uint64);

    /// @notice Bond of a proposer, in wei.
    function proposerBond() external view returns (uint256);
}
