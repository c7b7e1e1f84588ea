// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Entry, IInbox } from "../interfaces/IInbox.sol";
import { OutputRootProof } from "../interfaces/IRollup.sol";
import { HeaderReader } from "../lib/HeaderReader.sol";
import { OutputHash } from "../lib/OutputHash.sol";
import { LostBonds } from "./LostBonds.sol";
import { OutputTreeV2 } from "./OutputTreeV2.sol";
import { IRollupV2, Proposal, Range, RollupConfig, Status } from "./interfaces/IRollupV2.sol";
import { HistoryLib } from "./lib/HistoryLib.sol";

/// @title RollupV2
/// @notice Outputs, their ranges and bonds; see IRollupV2.
contract RollupV2 is OutputTreeV2, LostBonds {
    bytes32 private constant OUTPUT_VERSION = bytes32(0);
    /// @dev Most positions of a range, which bounds the depth of histories.
    uint64 private constant POSITIONS_MAX = 1 << 28;
    /// @dev Most ancestors that one call finalizes besides the output.
    uint256 private constant ANCESTORS_MAX = 32;

    /// @inheritdoc IRollupV2
    IInbox public immutable inbox;
    /// @inheritdoc IRollupV2
    address public immutable tournament;
    /// @inheritdoc IRollupV2
    address public immutable programs;
    /// @inheritdoc IRollupV2
    uint64 public immutable gameClock;
    /// @inheritdoc IRollupV2
    uint64 public immutable outputInterval;
    /// @inheritdoc IRollupV2
    uint64 public immutable entriesPerOutputMax;
    /// @inheritdoc IRollupV2
    uint64 public immutable blocksPerEntryMax;
    /// @inheritdoc IRollupV2
    uint256 public immutable proposerBond;

    /// @dev Index plus one of the output with a claim; zero if there is none.
    mapping(bytes32 claim => uint256 indexPlusOne) private _indexOf;

    modifier onlyTournament() {
        if (msg.sender != tournament) revert Rollup_NotTournament(msg.sender);
        _;
    }

    constructor(
        IInbox inbox_,
        address tournament_,
        address programs_,
        bytes32 genesisOutputRoot,
        RollupConfig memory config
    ) OutputTreeV2(config.challengeWindow) {
        (uint64 entries, uint64 blocks) = (config.entriesPerOutputMax, config.blocksPerEntryMax);
        bool works = tournament_ != address(0) && programs_ != address(0) && genesisOutputRoot != 0
            && config.gameClock != 0 && config.gameClock <= config.challengeWindow
            && config.gameClock <= type(uint24).max && config.outputInterval != 0 && config.proposerBond != 0;
        bool fits = entries != 0 && entries <= POSITIONS_MAX && blocks != 0 && blocks <= POSITIONS_MAX
            && blocks & (blocks - 1) == 0 && entries * blocks <= POSITIONS_MAX;
        if (!works || !fits) revert Rollup_BadConfig();
        inbox = inbox_;
        tournament = tournament_;
        programs = programs_;
        gameClock = config.gameClock;
        outputInterval = config.outputInterval;
        entriesPerOutputMax = entries;
        blocksPerEntryMax = blocks;
        proposerBond = config.proposerBond;

        Record storage genesis = _outputs.push();
        genesis.claim = _claim(0, bytes32(0), 0, inbox_.acc(0), genesisOutputRoot, bytes32(0));
        genesis.outputRoot = genesisOutputRoot;
        genesis.proposedAt = uint40(block.timestamp);
        _indexOf[genesis.claim] = GENESIS_INDEX + 1;
        _recordFinal(GENESIS_INDEX);
    }

    /// @inheritdoc IRollupV2
    function propose(Proposal calldata proposal) external payable returns (uint256 index) {
        if (msg.value != proposerBond) revert Rollup_WrongBond(proposerBond, msg.value);
        Record storage parent = _at(proposal.parentIndex);
        _checkParent(parent, proposal);
        _checkEntry(parent, proposal);
        uint64 l2BlockNumber = _checkHeader(proposal, parent.l2BlockNumber);
        Range storage covered = _join(parent, proposal);
        bytes32 outputRoot = OutputHash.root(proposal.outputProof);
        uint256 depth = covered.depth;
        HistoryLib.checkLeaf(proposal.history, depth, (1 << depth) - 1, outputRoot, proposal.siblings);

        index = _outputs.length;
        covered.xor ^= uint64(index);
        Record storage proposed = _outputs.push();
        proposed.claim = _record(index, proposal, outputRoot);
        proposed.outputRoot = outputRoot;
        proposed.history = proposal.history;
        proposed.entry = proposal.entry;
        proposed.l2BlockNumber = l2BlockNumber;
        proposed.parentIndex = uint64(proposal.parentIndex);
        proposed.proposedAt = uint40(block.timestamp);
        proposed.status = Status.Standing;
        proposed.generation = uint16(generation);
        proposed.proposer = msg.sender;
        proposed.since = uint40(block.timestamp);
        // A late child has less time, so that the last second does not delay the tournament.
        uint64 left = covered.firstAt + challengeWindow - uint64(block.timestamp);
        proposed.left = uint24(left < gameClock ? left : gameClock);
        // Nobody can pay for 2^32 bonds.
        proposed.seat = uint32(covered.count - 1);
        _emitProposed(index, proposed, proposal);
    }

    /// @inheritdoc IRollupV2
    function finalize(uint256 index) external {
        uint256[] memory path = _pathFromFinal(index);
        for (uint256 i; i < path.length; ++i) {
            Record storage finalized = _outputs[path[i]];
            uint256 id = _tournamentOf(finalized);
            _checkWindowOver(id, finalized.parentIndex);
            if (winnerOf(id) != path[i]) revert Rollup_NotWinner(path[i]);
            _recordFinal(path[i]);
            _credit(finalized.proposer, proposerBond);
        }
    }

    /// @inheritdoc IRollupV2
    function voidOutput(uint256 index) external {
        Record storage record = _at(index);
        if (record.status != Status.Standing) revert Rollup_NotStanding(index, record.status);
        uint256 id = _tournamentOf(record);
        if (record.generation == generation) {
            Status parent = _outputs[record.parentIndex].status;
            bool falls = parent == Status.Rejected || parent == Status.Void;
            if (!falls) revert Rollup_ParentStands(record.parentIndex, parent);
            _checkWindowOver(id, record.parentIndex);
        }
        record.status = Status.Void;
        _leave(id, index);
        emit OutputVoided(index);
        _credit(record.proposer, proposerBond);
    }

    /// @inheritdoc IRollupV2
    function promote(uint256 index) external onlyTournament {
        Record storage record = _at(index);
        ++record.round;
        record.since = uint40(block.timestamp);
        record.left = uint24(gameClock);
        emit OutputPromoted(index, record.round);
    }

    /// @inheritdoc IRollupV2
    function crown(uint256 index) external onlyTournament {
        uint256 id = _tournamentOf(_at(index));
        _ranges[id].winner = uint64(index);
        emit TournamentWon(id, index);
    }

    /// @inheritdoc IRollupV2
    function eliminate(uint256 index, address revealer, address ender) external onlyTournament {
        Record storage record = _at(index);
        _checkStanding(record, index);
        record.status = Status.Rejected;
        _leave(_tournamentOf(record), index);
        emit OutputRejected(index, revealer, ender);
        _lose(proposerBond, revealer, ender);
    }

    /// @inheritdoc IRollupV2
    function openGeneration() external {
        if (msg.sender != programs) revert Rollup_NotPrograms(msg.sender);
        generationFrom = lastFinalIndex;
        emit GenerationOpened(++generation, generationFrom);
    }

    /// @inheritdoc IRollupV2
    function indexOf(bytes32 claim) external view returns (uint256) {
        uint256 indexPlusOne = _indexOf[claim];
        if (indexPlusOne == 0) revert Rollup_UnknownClaim(claim);
        return indexPlusOne - 1;
    }

    /// @dev Adds a child to the tournament, while its window is open.
    function _join(Record storage parent, Proposal calldata proposal)
        private
        returns (Range storage covered)
    {
        covered = _ranges[_tournament(generation, proposal.parentIndex)];
        if (covered.count == 0) {
            covered.entry = proposal.entry;
            covered.firstAt = uint64(block.timestamp);
            covered.positions = (proposal.entry - parent.entry) * blocksPerEntryMax;
            covered.depth = uint64(HistoryLib.depthOf(covered.positions));
        }
        uint64 endsAt = covered.firstAt + challengeWindow;
        if (block.timestamp >= endsAt) revert Rollup_WindowOver(proposal.parentIndex, endsAt);
        ++covered.count;
        ++covered.standing;
    }

    /// @dev Records the claim, which nobody has made before.
    function _record(uint256 index, Proposal calldata proposal, bytes32 outputRoot)
        private
        returns (bytes32 claim)
    {
        claim = _claim(
            generation,
            proposal.parentClaim,
            proposal.entry,
            proposal.expectedAcc,
            outputRoot,
            proposal.history
        );
        if (_indexOf[claim] != 0) revert Rollup_DuplicateClaim(claim, _indexOf[claim] - 1);
        _indexOf[claim] = index + 1;
    }

    function _emitProposed(uint256 index, Record storage proposed, Proposal calldata proposal) private {
        emit OutputProposed(
            index,
            proposed.claim,
            _tournamentOf(proposed),
            proposed.seat,
            proposed.entry,
            proposed.l2BlockNumber,
            msg.sender,
            proposal.history,
            proposal.outputProof,
            proposal.header
        );
    }

    function _leave(uint256 id, uint256 index) private {
        Range storage covered = _ranges[id];
        --covered.standing;
        covered.xor ^= uint64(index);
    }

    function _checkWindowOver(uint256 id, uint256 parentIndex) private view {
        uint64 endsAt = _ranges[id].firstAt + challengeWindow;
        if (block.timestamp < endsAt) revert Rollup_WindowOpen(parentIndex, endsAt);
    }

    function _checkStanding(Record storage record, uint256 index) private view {
        Status status = _status(record);
        if (status != Status.Standing) revert Rollup_NotStanding(index, status);
    }

    function _checkParent(Record storage parent, Proposal calldata proposal) private view {
        uint256 parentIndex = proposal.parentIndex;
        if (parent.claim != proposal.parentClaim) {
            revert Rollup_WrongClaim(parentIndex, proposal.parentClaim, parent.claim);
        }
        Status status = _status(parent);
        bool stands = status == Status.Standing || status == Status.Final;
        bool isCurrent = parent.generation == generation || parentIndex == generationFrom;
        if (!stands || !isCurrent) revert Rollup_BadParent(parentIndex, status);
    }

    /// @dev Checks that the entry is one that the range of the parent's children may end at, and that it is opened.
    function _checkEntry(Record storage parent, Proposal calldata proposal) private view {
        (uint64 entry, uint64 parentEntry) = (proposal.entry, parent.entry);
        uint64 full = parentEntry + entriesPerOutputMax;
        if (entry <= parentEntry || entry > full) revert Rollup_WrongEntry(entry, parentEntry);
        bytes32 acc = inbox.acc(entry);
        if (acc != proposal.expectedAcc) revert Rollup_WrongAcc(entry, proposal.expectedAcc, acc);
        uint256 count = entry != full && entry + 1 < inbox.entryCount() ? 2 : 1;
        uint256 found = proposal.rangeProof.length;
        if (found != count) revert Rollup_WrongRangeProof(count, found);
        _checkTimes(parent, proposal, entry == full);
    }

    /// @dev Checks that the entry, which is opened, is the last one in time, and that children may be proposed.
    function _checkTimes(Record storage parent, Proposal calldata proposal, bool isFull) private view {
        Entry[] calldata opened = proposal.rangeProof;
        (uint64 entry, bytes32 acc) = (proposal.entry, proposal.expectedAcc);
        uint64 endsAt = parent.proposedAt + outputInterval;
        bool isInTime = _timeOf(opened[0], entry, inbox.acc(entry - 1), acc) <= endsAt;
        bool isFirst = entry == parent.entry + 1;
        bool isLast = opened.length == 1 || _timeOf(opened[1], entry + 1, acc, inbox.acc(entry + 1)) > endsAt;
        if (!(isInTime || isFirst) || !isLast) revert Rollup_WrongEntry(entry, parent.entry);
        if (block.timestamp <= endsAt && !isFull) revert Rollup_RangeOpen(proposal.parentIndex, endsAt);
    }

    /// @dev L1 time of the inbox's entry at `index`, from the accumulators before and after it.
    function _timeOf(Entry calldata entry, uint64 index, bytes32 before, bytes32 expected)
        private
        pure
        returns (uint64)
    {
        bytes32 found = keccak256(abi.encode(before, entry));
        if (found != expected) revert Rollup_WrongAcc(index, expected, found);
        return entry.l1Time;
    }

    function _checkHeader(Proposal calldata proposal, uint64 parentL2BlockNumber)
        private
        pure
        returns (uint64 l2BlockNumber)
    {
        OutputRootProof calldata proof = proposal.outputProof;
        bytes calldata header = proposal.header;
        if (proof.version != OUTPUT_VERSION) revert Rollup_UnknownVersion(proof.version);
        bytes32 headerHash = keccak256(header);
        if (headerHash != proof.latestBlockhash) {
            revert Rollup_WrongHeaderHash(proof.latestBlockhash, headerHash);
        }
        bytes32 stateRoot;
        (stateRoot, l2BlockNumber) = HeaderReader.read(header);
        if (stateRoot != proof.stateRoot) revert Rollup_WrongStateRoot(proof.stateRoot, stateRoot);
        if (l2BlockNumber < parentL2BlockNumber) {
            revert Rollup_BlockBeforeParent(l2BlockNumber, parentL2BlockNumber);
        }
    }

    /// @dev The output at `index` and its ancestors that are not final, the oldest first.
    function _pathFromFinal(uint256 index) private view returns (uint256[] memory path) {
        _checkStanding(_at(index), index);
        uint256 length;
        uint256 current = index;
        for (; _status(_outputs[current]) == Status.Standing; current = _outputs[current].parentIndex) {
            if (++length > ANCESTORS_MAX + 1) revert Rollup_TooManyAncestors(ANCESTORS_MAX);
        }
        Status ancestor = _status(_outputs[current]);
        if (ancestor != Status.Final) revert Rollup_ParentNotFinal(current, ancestor);

        path = new uint256[](length);
        for (current = index; length != 0; current = _outputs[current].parentIndex) {
            path[--length] = current;
        }
    }

    function _claim(
        uint64 generation_,
        bytes32 parentClaim,
        uint64 entry,
        bytes32 acc,
        bytes32 outputRoot,
        bytes32 history
    ) private pure returns (bytes32) {
        return keccak256(abi.encode(generation_, parentClaim, entry, acc, outputRoot, history));
    }
}
