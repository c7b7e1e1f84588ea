// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IL2OutputOracle, OutputProposal } from "../interfaces/IL2OutputOracle.sol";
import { Contender, IRollupV2, Output, Range, Status } from "./interfaces/IRollupV2.sol";

/// @title OutputTreeV2
/// @notice The tree of outputs and its views; see IRollupV2 and IL2OutputOracle.
/// @dev A parent's index is lower than its children's. Final outputs form one branch, because a parent has one final child.
abstract contract OutputTreeV2 is IRollupV2 {
    /// @dev A stored output; see Output and Contender.
    struct Record {
        bytes32 claim;
        bytes32 outputRoot;
        bytes32 history;
        uint64 entry;
        uint64 l2BlockNumber;
        uint64 parentIndex;
        uint40 proposedAt;
        Status status;
        uint16 generation;
        uint8 round;
        address proposer;
        uint40 since;
        uint24 left;
        uint32 seat;
    }

    uint256 internal constant GENESIS_INDEX = 0;
    /// @dev Number of intervals between outputs that SUBMISSION_INTERVAL() reads.
    uint256 private constant INTERVALS_SEEN_MAX = 4;
    uint256 private constant L2_BLOCK_SECONDS = 1;

    /// @inheritdoc IRollupV2
    uint64 public immutable challengeWindow;

    Record[] internal _outputs;
    mapping(uint256 tournament => Range) internal _ranges;
    /// @dev Final outputs, each with a later L2 block than the one before; four to a slot.
    uint64[] private _finals;
    /// @inheritdoc IRollupV2
    uint256 public lastFinalIndex;
    /// @inheritdoc IRollupV2
    uint64 public lastFinalAt;
    /// @inheritdoc IRollupV2
    uint64 public generation;
    /// @inheritdoc IRollupV2
    uint256 public generationFrom;

    constructor(uint64 challengeWindow_) {
        challengeWindow = challengeWindow_;
    }

    /// @inheritdoc IRollupV2
    function outputCount() public view returns (uint256) {
        return _outputs.length;
    }

    /// @inheritdoc IRollupV2
    function output(uint256 index) external view returns (Output memory) {
        Record storage record = _at(index);
        return Output({
            claim: record.claim,
            outputRoot: record.outputRoot,
            history: record.history,
            parentIndex: record.parentIndex,
            generation: record.generation,
            entry: record.entry,
            l2BlockNumber: record.l2BlockNumber,
            proposedAt: record.proposedAt,
            proposer: record.proposer,
            status: _status(record)
        });
    }

    /// @inheritdoc IRollupV2
    function statusOf(uint256 index) external view returns (Status) {
        return _status(_at(index));
    }

    /// @inheritdoc IRollupV2
    function contender(uint256 index) external view returns (Contender memory) {
        Record storage record = _at(index);
        return Contender({
            tournament: _tournamentOf(record),
            history: record.history,
            proposer: record.proposer,
            status: _status(record),
            seat: record.seat,
            round: record.round,
            since: record.since,
            left: record.left
        });
    }

    /// @inheritdoc IRollupV2
    function range(uint256 tournament) external view returns (Range memory) {
        return _ranges[tournament];
    }

    /// @inheritdoc IRollupV2
    function winnerOf(uint256 tournament) public view returns (uint256) {
        Range storage found = _ranges[tournament];
        return found.count == 1 ? found.xor : found.winner;
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
        if (_l2BlockNumber <= _outputs[lastFinalIndex].l2BlockNumber) return _finalAtOrAfter(_l2BlockNumber);
        index = lastFinalIndex;
        while (_outputs[index].l2BlockNumber < _l2BlockNumber) {
            uint256 next = _undisputedChild(index);
            require(next != 0, "L2OutputOracle: cannot get output for a block that has not been proposed");
            index = next;
        }
    }

    /// @inheritdoc IL2OutputOracle
    /// @dev Takes one step for each output that stands without a standing rival, on top of the last final one.
    function latestOutputIndex() public view returns (uint256 latest) {
        uint256 next = lastFinalIndex;
        do {
            latest = next;
            next = _undisputedChild(latest);
        } while (next != 0);
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

    function _status(Record storage record) internal view returns (Status) {
        Status status = record.status;
        return status == Status.Standing && record.generation != generation ? Status.Void : status;
    }

    function _tournamentOf(Record storage record) internal view returns (uint256) {
        return _tournament(record.generation, record.parentIndex);
    }

    /// @dev The tournament of a parent's children.
    function _tournament(uint256 generation_, uint256 parentIndex) internal pure returns (uint256) {
        return generation_ << 64 | parentIndex;
    }

    /// @dev Records that an output became final, and its place in the views.
    function _recordFinal(uint256 index) internal {
        Record storage record = _outputs[index];
        record.status = Status.Final;
        (lastFinalIndex, lastFinalAt) = (index, uint64(block.timestamp));
        uint256 count = _finals.length;
        bool isLater = count == 0 || record.l2BlockNumber > _outputs[_finals[count - 1]].l2BlockNumber;
        if (isLater) _finals.push(uint64(index));
        emit OutputFinalized(index, record.claim);
    }

    /// @dev The child of an output that stands without a standing rival; zero if there is none.
    function _undisputedChild(uint256 index) private view returns (uint256) {
        Range storage found = _ranges[_tournament(generation, index)];
        return found.standing == 1 ? found.xor : 0;
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
