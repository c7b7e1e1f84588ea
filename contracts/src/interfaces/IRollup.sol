// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IBonds } from "./IBonds.sol";
import { IInbox } from "./IInbox.sol";
import { IL2OutputOracle } from "./IL2OutputOracle.sol";

/// @notice What an output root commits to: version 0 of the OP stack.
struct OutputRootProof {
    bytes32 version;
    bytes32 stateRoot;
    bytes32 messagePasserStorageRoot;
    bytes32 latestBlockhash;
}

/// @notice Status of an output.
/// @dev Proposed and Challenged may alternate while the window is open; Final, Rejected and Void are permanent.
///      An output built on a rejected one becomes Void when its proposer's bond is returned.
enum Status {
    None,
    Proposed,
    Challenged,
    Final,
    Rejected,
    Void
}

/// @notice A claim about L2's state after an inbox entry.
struct Output {
    /// keccak256(abi.encode(bytes32 parentClaim, uint64 entry, bytes32 acc_entry, bytes32 outputRoot)).
    bytes32 claim;
    bytes32 outputRoot;
    uint256 parentIndex;
    uint64 entry;
    uint64 l2BlockNumber;
    /// L1 time in seconds.
    uint64 proposedAt;
    address proposer;
    /// Open challenges; zero once one of them is won.
    uint64 openChallenges;
    Status status;
}

/// @notice Parameters of a rollup, fixed at deployment.
struct RollupConfig {
    /// Seconds in which an output can be challenged. Together with the longest dispute at most 14 days, which the
    /// dispute contract checks.
    uint64 challengeWindow;
    /// Most entries that one output covers.
    uint64 entriesPerOutputMax;
    /// Bond of a proposer, in wei; not zero.
    uint256 proposerBond;
}

/// @title IRollup
/// @notice Outputs: bonded claims about L2's state, each on top of an earlier one. An output can be final when its
///         parent is final, its window is over and no challenge of it is open; a challenge that is won rejects it. The
///         dispute contract decides challenges.
/// @dev Outputs built on a rejected output never become final. The chain continues beside them: a claim is made once, but
///      the same state can be claimed again from the same parent with another entry.
interface IRollup is IL2OutputOracle, IBonds {
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
    /// @notice The caller is not the dispute contract.
    error Rollup_NotDispute(address caller);
    /// @notice The parent is neither rejected nor void.
    error Rollup_ParentStands(uint256 parentIndex, Status status);
    /// @notice The parent, or an ancestor of it, was rejected.
    error Rollup_ParentRejected(uint256 parentIndex, Status status);
    /// @notice An output after a later entry is final already.
    error Rollup_ParentTooOld(uint256 parentIndex, uint64 parentEntry, uint64 finalEntry);
    /// @notice The entry is not after the parent's.
    error Rollup_EntryNotLater(uint64 entry, uint64 parentEntry);
    /// @notice The output covers more entries than one may.
    error Rollup_TooManyEntries(uint64 count, uint64 max);
    /// @notice The inbox does not hold the entry that the proposer read.
    error Rollup_WrongAcc(uint64 entry, bytes32 expected, bytes32 found);
    /// @notice The output root's version is unknown.
    error Rollup_UnknownVersion(bytes32 version);
    /// @notice The header does not hash to the block hash of the output root.
    error Rollup_WrongHeaderHash(bytes32 expected, bytes32 found);
    /// @notice The header's state root is not that of the output root.
    error Rollup_WrongStateRoot(bytes32 expected, bytes32 found);
    /// @notice The L2 block is not after the parent's.
    error Rollup_BlockNotLater(uint64 l2BlockNumber, uint64 parentL2BlockNumber);
    /// @notice The claim has been made already.
    error Rollup_DuplicateClaim(bytes32 claim, uint256 index);
    /// @notice The output is challenged, or is final, rejected or void.
    error Rollup_NotProposed(uint256 index, Status status);
    /// @notice The challenge window is over.
    error Rollup_WindowOver(uint256 index, uint64 endedAt);
    /// @notice The challenge window is still open.
    error Rollup_WindowOpen(uint256 index, uint64 endsAt);
    /// @notice An ancestor is challenged, rejected or void: as things stand it cannot become final.
    error Rollup_AncestorDisputed(uint256 ancestorIndex, Status status);

    /// @notice An output was proposed. The event holds the output root's whole preimage.
    event OutputProposed(
        uint256 indexed index,
        bytes32 indexed claim,
        bytes32 indexed outputRoot,
        uint256 parentIndex,
        uint64 entry,
        uint64 l2BlockNumber,
        address proposer,
        bytes32 stateRoot,
        bytes32 messagePasserStorageRoot,
        bytes header
    );

    /// @notice An output was challenged; `openChallenges` of them are open now.
    event OutputChallenged(uint256 indexed index, bytes32 indexed claim, uint64 openChallenges);

    /// @notice A challenge of an output failed; `openChallenges` others remain.
    event OutputUpheld(uint256 indexed index, bytes32 indexed claim, uint64 openChallenges);

    /// @notice An output was rejected: a challenge of it was won.
    event OutputRejected(uint256 indexed index, bytes32 indexed claim);

    /// @notice The bond of an output built on a rejected one was returned.
    event OutputVoided(uint256 indexed index, bytes32 indexed claim);

    /// @notice An output became final; output 0 is from the start.
    event OutputFinalized(uint256 indexed index, bytes32 indexed claim);

    /// @notice Proposes the output after `entry`; send exactly proposerBond().
    /// @dev WARNING: if an output is rejected, everything built on it becomes void. This function checks the parent only, not
    ///      the parent's ancestors.
    ///      A dispute covers the entries after the parent's. Old entries may be unavailable to its players: L1 drops
    ///      blobs, and nodes prune final data. An honest proposer builds on the latest true output, whose entry is never
    ///      before that of a final one.
    ///      `parentClaim` and `expectedAcc` bind the proposal to the chain that the proposer saw, across L1 reorgs.
    /// @param parentIndex Output to build on; proposed, challenged or final, its entry not before that of the output at
    ///        lastFinalIndex().
    /// @param parentClaim Its claim.
    /// @param entry Inbox entry after which the claimed state holds.
    /// @param expectedAcc The inbox accumulator after that entry.
    /// @param proof Preimage of the output root.
    /// @param header RLP of the L2 block header whose hash is `proof.latestBlockhash`.
    /// @return index The new output's index.
    function propose(
        uint256 parentIndex,
        bytes32 parentClaim,
        uint64 entry,
        bytes32 expectedAcc,
        OutputRootProof calldata proof,
        bytes calldata header
    ) external payable returns (uint256 index);

    /// @notice Records a challenge of the output, within its window. Only for the dispute contract.
    /// @param claim The output's claim, as the challenger read it.
    function openChallenge(uint256 index, bytes32 claim) external;

    /// @notice Records that a challenge of the output failed. Only for the dispute contract.
    function upholdOutput(uint256 index) external;

    /// @notice Rejects the output and transfers its proposer's bond. Only for the dispute contract.
    function rejectOutput(uint256 index) external;

    /// @notice Credits the bond of an output whose parent is rejected or void to its proposer. Anyone may call it once
    ///         the output's window is over and no challenge of it is open.
    function voidOutput(uint256 index) external;

    /// @notice Finalizes an output after its ancestors that are not final, oldest first; credits the proposers'
    ///         bonds. Anyone may call it once the output's window is over.
    /// @dev Gas grows with the number of ancestors that are not final. If they are too many for one transaction,
    ///      finalize an ancestor first.
    function finalize(uint256 index) external;

    /// @notice Number of outputs, output 0 included.
    function outputCount() external view returns (uint256);

    /// @notice The output at `index`.
    function output(uint256 index) external view returns (Output memory);

    /// @notice Whether the output at `index`, or an ancestor of it, is challenged, rejected or void, so that it cannot
    ///         become final at present.
    /// @dev Gas grows with the number of ancestors that are not final.
    function isDisputed(uint256 index) external view returns (bool);

    /// @notice Index of the output that makes `claim`.
    function indexOf(bytes32 claim) external view returns (uint256);

    /// @notice The final output with the latest entry; the first one if several have it.
    function lastFinalIndex() external view returns (uint256);

    /// @notice The inbox that outputs refer to.
    function inbox() external view returns (IInbox);

    /// @notice Seconds in which an output can be challenged.
    function challengeWindow() external view returns (uint64);

    /// @notice Most entries that one output covers.
    function entriesPerOutputMax() external view returns (uint64);

    /// @notice Bond of a proposer, in wei.
    function proposerBond() external view returns (uint256);

    /// @notice Where outputs are challenged.
    function dispute() external view returns (address);
}
