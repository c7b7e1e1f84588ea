// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IInbox } from "../interfaces/IInbox.sol";
import { IRollup, OutputRootProof, RollupConfig, Status } from "../interfaces/IRollup.sol";
import { HeaderReader } from "../lib/HeaderReader.sol";
import { OutputHash } from "../lib/OutputHash.sol";
import { Bonds } from "./Bonds.sol";
import { OutputTree } from "./OutputTree.sol";

/// @title Rollup
/// @notice Outputs and their bonds; see IRollup.
contract Rollup is OutputTree, Bonds {
    bytes32 private constant OUTPUT_VERSION = bytes32(0);
    uint64 private constant GENESIS_ENTRY = 0;
    uint64 private constant GENESIS_L2_BLOCK_NUMBER = 0;

    /// @inheritdoc IRollup
    IInbox public immutable inbox;
    /// @inheritdoc IRollup
    uint64 public immutable entriesPerOutputMax;
    /// @inheritdoc IRollup
    uint256 public immutable proposerBond;
    /// @inheritdoc IRollup
    address public immutable dispute;

    /// @dev Index plus one of the output with a claim; zero if there is none.
    mapping(bytes32 claim => uint256 indexPlusOne) private _indexOf;

    modifier onlyDispute() {
        if (msg.sender != dispute) revert Rollup_NotDispute(msg.sender);
        _;
    }

    constructor(IInbox inbox_, address dispute_, bytes32 genesisOutputRoot, RollupConfig memory config)
        OutputTree(config.challengeWindow)
    {
        bool works = dispute_ != address(0) && genesisOutputRoot != 0 && config.entriesPerOutputMax != 0
            && config.proposerBond != 0;
        if (!works) revert Rollup_BadConfig();
        inbox = inbox_;
        dispute = dispute_;
        entriesPerOutputMax = config.entriesPerOutputMax;
        proposerBond = config.proposerBond;

        bytes32 claim =
            OutputHash.claim(bytes32(0), GENESIS_ENTRY, inbox_.acc(GENESIS_ENTRY), genesisOutputRoot);
        _outputs.push(
            Record({
                claim: claim,
                outputRoot: genesisOutputRoot,
                entry: GENESIS_ENTRY,
                l2BlockNumber: GENESIS_L2_BLOCK_NUMBER,
                parentIndex: uint64(GENESIS_INDEX),
                proposedAt: uint40(block.timestamp),
                status: Status.Final,
                proposer: address(0),
                openChallenges: 0
            })
        );
        _finals.push(uint64(GENESIS_INDEX));
        _indexOf[claim] = GENESIS_INDEX + 1;
        emit OutputFinalized(GENESIS_INDEX, claim);
    }

    /// @inheritdoc IRollup
    function propose(
        uint256 parentIndex,
        bytes32 parentClaim,
        uint64 entry,
        bytes32 expectedAcc,
        OutputRootProof calldata proof,
        bytes calldata header
    ) external payable returns (uint256 index) {
        if (msg.value != proposerBond) revert Rollup_WrongBond(proposerBond, msg.value);
        Record storage parent = _at(parentIndex);
        _checkParent(parent, parentIndex, parentClaim);
        _checkEntry(entry, parent.entry, expectedAcc);
        uint64 l2BlockNumber = _checkHeader(proof, header, parent.l2BlockNumber);

        bytes32 outputRoot = OutputHash.root(proof);
        bytes32 claim = OutputHash.claim(parentClaim, entry, expectedAcc, outputRoot);
        if (_indexOf[claim] != 0) revert Rollup_DuplicateClaim(claim, _indexOf[claim] - 1);

        index = _outputs.length;
        _indexOf[claim] = index + 1;
        Record memory proposed = Record({
            claim: claim,
            outputRoot: outputRoot,
            entry: entry,
            l2BlockNumber: l2BlockNumber,
            parentIndex: uint64(parentIndex),
            proposedAt: uint40(block.timestamp),
            status: Status.Proposed,
            proposer: msg.sender,
            openChallenges: 0
        });
        _outputs.push(proposed);
        _emitProposed(index, proposed, proof, header);
    }

    /// @inheritdoc IRollup
    function openChallenge(uint256 index, bytes32 claim) external onlyDispute {
        Record storage record = _at(index);
        if (record.claim != claim) revert Rollup_WrongClaim(index, claim, record.claim);
        bool open = record.status == Status.Proposed || record.status == Status.Challenged;
        if (!open) revert Rollup_NotProposed(index, record.status);
        uint64 endsAt = record.proposedAt + challengeWindow;
        if (block.timestamp >= endsAt) revert Rollup_WindowOver(index, endsAt);

        record.status = Status.Challenged;
        emit OutputChallenged(index, claim, ++record.openChallenges);
    }

    /// @inheritdoc IRollup
    function upholdOutput(uint256 index) external onlyDispute {
        Record storage record = _at(index);
        uint64 openChallenges = --record.openChallenges;
        if (openChallenges == 0) record.status = Status.Proposed;
        emit OutputUpheld(index, record.claim, openChallenges);
    }

    /// @inheritdoc IRollup
    function rejectOutput(uint256 index) external onlyDispute {
        Record storage record = _at(index);
        record.status = Status.Rejected;
        record.openChallenges = 0;
        emit OutputRejected(index, record.claim);
        _pay(msg.sender, proposerBond);
    }

    /// @inheritdoc IRollup
    function voidOutput(uint256 index) external {
        Record storage record = _at(index);
        if (record.status != Status.Proposed) revert Rollup_NotProposed(index, record.status);
        Status parent = _outputs[record.parentIndex].status;
        bool falls = parent == Status.Rejected || parent == Status.Void;
        if (!falls) revert Rollup_ParentStands(record.parentIndex, parent);
        uint64 endsAt = record.proposedAt + challengeWindow;
        if (block.timestamp < endsAt) revert Rollup_WindowOpen(index, endsAt);

        record.status = Status.Void;
        _credit(record.proposer, proposerBond);
        emit OutputVoided(index, record.claim);
    }

    /// @inheritdoc IRollup
    function finalize(uint256 index) external {
        Record storage last = _at(index);
        if (last.status != Status.Proposed) revert Rollup_NotProposed(index, last.status);
        uint64 endsAt = last.proposedAt + challengeWindow;
        // An ancestor was proposed no later, so its window is over too.
        if (block.timestamp < endsAt) revert Rollup_WindowOpen(index, endsAt);

        uint256[] memory path = _pathFromFinal(index);
        for (uint256 i; i < path.length; ++i) {
            Record storage finalized = _outputs[path[i]];
            finalized.status = Status.Final;
            _recordFinal(path[i]);
            _credit(finalized.proposer, proposerBond);
            emit OutputFinalized(path[i], finalized.claim);
        }
    }

    /// @inheritdoc IRollup
    function indexOf(bytes32 claim) external view returns (uint256) {
        uint256 indexPlusOne = _indexOf[claim];
        if (indexPlusOne == 0) revert Rollup_UnknownClaim(claim);
        return indexPlusOne - 1;
    }

    function _checkParent(Record storage parent, uint256 parentIndex, bytes32 parentClaim) private view {
        if (parent.claim != parentClaim) revert Rollup_WrongClaim(parentIndex, parentClaim, parent.claim);
        bool falls = parent.status == Status.Rejected || parent.status == Status.Void;
        if (falls) revert Rollup_ParentRejected(parentIndex, parent.status);
        uint64 finalEntry = _outputs[lastFinalIndex].entry;
        if (parent.entry < finalEntry) revert Rollup_ParentTooOld(parentIndex, parent.entry, finalEntry);
    }

    function _checkEntry(uint64 entry, uint64 parentEntry, bytes32 expectedAcc) private view {
        if (entry <= parentEntry) revert Rollup_EntryNotLater(entry, parentEntry);
        if (entry - parentEntry > entriesPerOutputMax) {
            revert Rollup_TooManyEntries(entry - parentEntry, entriesPerOutputMax);
        }
        bytes32 acc = inbox.acc(entry);
        if (acc != expectedAcc) revert Rollup_WrongAcc(entry, expectedAcc, acc);
    }

    function _checkHeader(OutputRootProof calldata proof, bytes calldata header, uint64 parentL2BlockNumber)
        private
        pure
        returns (uint64 l2BlockNumber)
    {
        if (proof.version != OUTPUT_VERSION) revert Rollup_UnknownVersion(proof.version);
        bytes32 headerHash = keccak256(header);
        if (headerHash != proof.latestBlockhash) {
            revert Rollup_WrongHeaderHash(proof.latestBlockhash, headerHash);
        }
        bytes32 stateRoot;
        (stateRoot, l2BlockNumber) = HeaderReader.read(header);
        if (stateRoot != proof.stateRoot) revert Rollup_WrongStateRoot(proof.stateRoot, stateRoot);
        if (l2BlockNumber <= parentL2BlockNumber) {
            revert Rollup_BlockNotLater(l2BlockNumber, parentL2BlockNumber);
        }
    }

    function _emitProposed(
        uint256 index,
        Record memory proposed,
        OutputRootProof calldata proof,
        bytes calldata header
    ) private {
        emit OutputProposed(
            index,
            proposed.claim,
            proposed.outputRoot,
            proposed.parentIndex,
            proposed.entry,
            proposed.l2BlockNumber,
            proposed.proposer,
            proof.stateRoot,
            proof.messagePasserStorageRoot,
            header
        );
    }

    /// @dev The output at `index` and its ancestors that are not final, the oldest first.
    function _pathFromFinal(uint256 index) private view returns (uint256[] memory path) {
        uint256 length;
        uint256 current = index;
        while (_outputs[current].status == Status.Proposed) {
            ++length;
            current = _outputs[current].parentIndex;
        }
        if (_outputs[current].status != Status.Final) {
            revert Rollup_AncestorDisputed(current, _outputs[current].status);
        }

        path = new uint256[](length);
        current = index;
        while (length != 0) {
            path[--length] = current;
            current = _outputs[current].parentIndex;
        }
    }
}
