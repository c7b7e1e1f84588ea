// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice An output in the form of the OP stack's tools.
struct OutputProposal {
    bytes32 outputRoot;
    /// L1 time in seconds at which it was proposed.
    uint128 timestamp;
    uint128 l2BlockNumber;
}

/// @title IL2OutputOracle
/// @notice The views of the OP stack's L2OutputOracle, for tools that read outputs through them. They cover
///         one branch of the tree of outputs: the latest output that is not disputed (see IRollup.isDisputed)
///         and its ancestors. The latest output is the one with the latest inbox entry. Of several with that
///         entry it is the first.
/// @dev An index is the same here and in IRollup. Indices of the branch ascend with gaps, because rivals and
///      disputed outputs have indices, too.
///      WARNING: an undisputed output may be wrong and not challenged yet. Only a final output is settled.
interface IL2OutputOracle {
    /// @notice The output at `_l2OutputIndex`, disputed or not.
    function getL2Output(uint256 _l2OutputIndex) external view returns (OutputProposal memory);

    /// @notice The first output of the branch at or after an L2 block: a final one if there is one. If there
    ///         is no such output, reverts with the OP stack's text, because tools match on it.
    /// @dev Skips outputs that became final after an output with a later entry.
    function getL2OutputIndexAfter(uint256 _l2BlockNumber) external view returns (uint256);

    /// @notice The output at getL2OutputIndexAfter(_l2BlockNumber).
    function getL2OutputAfter(uint256 _l2BlockNumber) external view returns (OutputProposal memory);

    /// @notice Index of the branch's latest output.
    function latestOutputIndex() external view returns (uint256);

    /// @notice L2 block of the branch's latest output.
    function latestBlockNumber() external view returns (uint256);

    /// @notice Index that the next proposed output gets.
    function nextOutputIndex() external view returns (uint256);

    /// @notice The lowest L2 block of the next output on the branch.
    function nextBlockNumber() external view returns (uint256);

    /// @notice L2 block of output 0.
    function startingBlockNumber() external view returns (uint256);

    /// @notice L1 time in seconds at which output 0 was recorded.
    function startingTimestamp() external view returns (uint256);

    /// @notice Seconds in which an output can be challenged, and that a withdrawal waits after its proof.
    function FINALIZATION_PERIOD_SECONDS() external view returns (uint256);
    function finalizationPeriodSeconds() external view returns (uint256);

    /// @notice The shortest time in seconds between two of the branch's last few outputs, at least 1. Tools
    ///         multiply it with L2_BLOCK_TIME() to estimate the seconds from one output to the next. An
    ///         output may span any number of blocks.
    function SUBMISSION_INTERVAL() external view returns (uint256);
    function submissionInterval() external view returns (uint256);

    /// @notice 1; see SUBMISSION_INTERVAL(). L2 blocks have no fixed interval.
    function L2_BLOCK_TIME() external view returns (uint256);
    function l2BlockTime() external view returns (uint256);
}
