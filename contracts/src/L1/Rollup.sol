// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IInbox } from "../interfaces/IInbox.sol";
import { IRollup, OutputRootProof, RollupConfig, Status } from "../interfaces/IRollup.sol";
import { HeaderReader } from "../lib/HeaderReader.sol";
import { OutputHash } from "../lib/OutputHash.sol";
import { OutputTree } from "./OutputTree.sol";

/// @title Rollup
/// @notice Outputs and their bonds; see IRollup.
contract Rollup is OutputTree {
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
    uint256 public immutable challengerBond;

    /// @dev Index plus one; zero where nobody made the claim.
    mapping(bytes32 claim => uint256 indexPlusOne) private _indexOf;
    /// @inheritdoc IRollup
    mapping(address account => uint256 amount) public bondCredit;

    constructor(IInbox inbox_, bytes32 genesisOutputRoot, RollupConfig memory config)
        OutputTree(config.challengeWindow)
    {
        if (genesisOutputRoot == 0 || config.entriesPerOutputMax == 0) revert Rollup_BadConfig();
        inbox = inbox_;
        entriesPerOutputMax = config.entriesPerOutputMax;
        proposerBond = config.proposerBond;
        challengerBond = config.challengerBond;

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
                challenger: address(0)
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
            challenger: address(0)
        });
        _outputs.push(proposed);
        _emitProposed(index, proposed, proof, header);
    }

    /// @inheritdoc IRollup
    function challenge(uint256 index, bytes32 claim) external payable {
        if (msg.value != challengerBond) revert Rollup_WrongBond(challengerBond, msg.value);
        Record storage challenged = _at(index);
        if (challenged.claim != claim) revert Rollup_WrongClaim(index, claim, challenged.claim);
        if (challenged.status != Status.Proposed) revert Rollup_NotProposed(index, challenged.status);
        uint64 endsAt = challenged.proposedAt + challengeWindow;
        if (block.timestamp >= endsAt) revert Rollup_WindowOver(index, endsAt);

        challenged.status = Status.Challenged;
        challenged.challenger = msg.sender;
        emit OutputChallenged(index, claim, msg.sender);
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
            bondCredit[finalized.proposer] += proposerBond;
            emit OutputFinalized(path[i], finalized.claim);
        }
    }

    /// @inheritdoc IRollup
    function withdrawBond() external {
        uint256 amount = bondCredit[msg.sender];
        if (amount == 0) revert Rollup_NothingToWithdraw(msg.sender);
        bondCredit[msg.sender] = 0;
        emit BondWithdrawn(msg.sender, amount);
        (bool sent,) = msg.sender.call{ value: amount }("");
        if (!sent) revert Rollup_TransferFailed(msg.sender);
    }

    /// @inheritdoc IRollup
    function indexOf(bytes32 claim) external view returns (uint256) {
        uint256 indexPlusOne = _indexOf[claim];
        if (indexPlusOne == 0) revert Rollup_UnknownClaim(claim);
        return indexPlusOne - 1;
    }

    function _checkParent(Record storage parent, uint256 parentIndex, bytes32 parentClaim) private view {
        if (parent.claim != parentClaim) revert Rollup_WrongClaim(parentIndex, parentClaim, parent.claim);
        bool well = parent.status == Status.Proposed || parent.status == Status.Final;
        if (!well) revert Rollup_ParentDisputed(parentIndex, parent.status);
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
