// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IL2OutputOracle, OutputProposal } from "../interfaces/IL2OutputOracle.sol";
import { IRollup, Output, Status } from "../interfaces/IRollup.sol";

/// @title OutputTree
/// @notice The tree of outputs and its views; see IRollup and IL2OutputOracle.
/// @dev A parent's index is lower than its children's, and its entry and L2 block are earlier. Every ancestor
///      of a final output is final.
abstract contract OutputTree is IRollup {
    /// @dev A stored output. A walk along a branch reads only the third slot.
    struct Record {
        bytes32 claim;
        bytes32 outputRoot;
        uint64 entry;
        uint64 l2BlockNumber;
        uint64 parentIndex;
        uint40 proposedAt;
        Status status;
        address proposer;
        uint64 openChallenges;
    }

    uint256 internal constant GENESIS_INDEX = 0;
    /// @dev Number of intervals between outputs that SUBMISSION_INTERVAL() reads.
    uint256 private constant INTERVALS_SEEN_MAX = 4;
    uint256 private constant L2_BLOCK_SECONDS = 1;

    /// @inheritdoc IRollup
    uint64 public immutable challengeWindow;

    Record[] internal _outputs;
    /// @dev Final outputs, each with a later entry and a later L2 block than the one before; four to a slot.
    uint64[] internal _finals;
    /// @inheritdoc IRollup
    uint256 public lastFinalIndex;

    constructor(uint64 challengeWindow_) {
        if (challengeWindow_ == 0) revert Rollup_BadConfig();
        challengeWindow = challengeWindow_;
    }

    /// @inheritdoc IRollup
    function outputCount() public view returns (uint256) {
        return _outputs.length;
    }

    /// @inheritdoc IRollup
    function output(uint256 index) external view returns (Output memory) {
        Record storage record = _at(index);
        return Output({
            claim: record.claim,
            outputRoot: record.outputRoot,
            parentIndex: record.parentIndex,
            entry: record.entry,
            l2BlockNumber: record.l2BlockNumber,
            proposedAt: record.proposedAt,
            proposer: record.proposer,
            openChallenges: record.openChallenges,
            status: record.status
        });
    }

    /// @inheritdoc IRollup
    function isDisputed(uint256 index) external view returns (bool) {
        Record storage record = _at(index);
        while (record.status == Status.Proposed) record = _outputs[record.parentIndex];
        return record.status != Status.Final;
    }

    /// @inheritdoc IL2OutputOracle
    function getL2Output(uint256 _l2OutputIndex) public view returns (OutputProposal memory) {
        Record storage record = _at(_l2OutputIndex);
        return OutputProposal({
            outputRoot: record.outputRoot, timestamp: record.proposedAt, l2BlockNumber: record.l2BlockNumber
        });
    }

    /// @inheritdoc IL2OutputOracle
    function getL2OutputAfter(uint256 _l2BlockNumber) external view returns (OutputProposal memory) {
        return getL2Output(getL2OutputIndexAfter(_l2BlockNumber));
    }

    /// @inheritdoc IL2OutputOracle
    function getL2OutputIndexAfter(uint256 _l2BlockNumber) public view returns (uint256 index) {
        if (_l2BlockNumber <= _outputs[_finals[_finals.length - 1]].l2BlockNumber) {
            return _finalAtOrAfter(_l2BlockNumber);
        }
        index = latestOutputIndex();
        require(
            _l2BlockNumber <= _outputs[index].l2BlockNumber,
            "L2OutputOracle: cannot get output for a block that has not been proposed"
        );
        for (;;) {
            uint256 parentIndex = _outputs[index].parentIndex;
            if (_outputs[parentIndex].l2BlockNumber < _l2BlockNumber) return index;
            index = parentIndex;
        }
    }

    /// @inheritdoc IL2OutputOracle
    function latestOutputIndex() public view returns (uint256 latest) {
        latest = lastFinalIndex;
        uint256 start = latest + 1;
        uint256 count = _outputs.length;
        // Whether output `start + i` is proposed and each of its ancestors is proposed or final.
        bool[] memory pending = new bool[](count - start);
        for (uint256 index = start; index < count; ++index) {
            if (_outputs[index].status != Status.Proposed) continue;
            uint256 parentIndex = _outputs[index].parentIndex;
            bool well = parentIndex < start
                ? _outputs[parentIndex].status == Status.Final
                : pending[parentIndex - start] || _outputs[parentIndex].status == Status.Final;
            if (!well) continue;
            pending[index - start] = true;
            if (_outputs[index].entry > _outputs[latest].entry) latest = index;
        }
    }

    /// @inheritdoc IL2OutputOracle
    function latestBlockNumber() public view returns (uint256) {
        return _outputs[latestOutputIndex()].l2BlockNumber;
    }

    /// @inheritdoc IL2OutputOracle
    function nextOutputIndex() external view returns (uint256) {
        return _outputs.length;
    }

    /// @inheritdoc IL2OutputOracle
    function nextBlockNumber() external view returns (uint256) {
        return latestBlockNumber() + 1;
    }

    /// @inheritdoc IL2OutputOracle
    function startingBlockNumber() external view returns (uint256) {
        return _outputs[GENESIS_INDEX].l2BlockNumber;
    }

    /// @inheritdoc IL2OutputOracle
    function startingTimestamp() external view returns (uint256) {
        return _outputs[GENESIS_INDEX].proposedAt;
    }

    /// @inheritdoc IL2OutputOracle
    function FINALIZATION_PERIOD_SECONDS() external view returns (uint256) {
        return challengeWindow;
    }

    /// @inheritdoc IL2OutputOracle
    function finalizationPeriodSeconds() external view returns (uint256) {
        return challengeWindow;
    }

    /// @inheritdoc IL2OutputOracle
    function SUBMISSION_INTERVAL() external view returns (uint256) {
        return submissionInterval();
    }

    /// @inheritdoc IL2OutputOracle
    function submissionInterval() public view returns (uint256 shortest) {
        uint256 index = latestOutputIndex();
        // Before the first proposal, the time since genesis stands for the interval.
        if (index == GENESIS_INDEX) shortest = block.timestamp - _outputs[index].proposedAt;
        else shortest = type(uint256).max;
        for (uint256 seen; index != GENESIS_INDEX && seen < INTERVALS_SEEN_MAX; ++seen) {
            uint256 parentIndex = _outputs[index].parentIndex;
            uint256 interval = _outputs[index].proposedAt - _outputs[parentIndex].proposedAt;
            if (interval < shortest) shortest = interval;
            index = parentIndex;
        }
        if (shortest == 0) shortest = 1;
    }

    /// @inheritdoc IL2OutputOracle
    function L2_BLOCK_TIME() external pure returns (uint256) {
        return L2_BLOCK_SECONDS;
    }

    /// @inheritdoc IL2OutputOracle
    function l2BlockTime() external pure returns (uint256) {
        return L2_BLOCK_SECONDS;
    }

    function _at(uint256 index) internal view returns (Record storage) {
        if (index >= _outputs.length) revert Rollup_UnknownOutput(index, _outputs.length);
        return _outputs[index];
    }

    /// @dev Updates the views' storage for an output that became final.
    function _recordFinal(uint256 index) internal {
        Record storage record = _outputs[index];
        if (record.entry <= _outputs[lastFinalIndex].entry) return;
        lastFinalIndex = index;
        uint256 previous = _finals[_finals.length - 1];
        if (record.l2BlockNumber > _outputs[previous].l2BlockNumber) _finals.push(uint64(index));
    }

    /// @dev The first of `_finals` at or after the block. The caller knows that the last one is.
    function _finalAtOrAfter(uint256 l2BlockNumber) private view returns (uint256) {
        uint256 low;
        uint256 high = _finals.length - 1;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (_outputs[_finals[middle]].l2BlockNumber < l2BlockNumber) low = middle + 1;
            else high = middle;
        }
        return _finals[high];
    }
}
