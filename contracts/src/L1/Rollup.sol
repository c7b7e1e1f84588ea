// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IInbox } from "../interfaces/IInbox.sol";
import { IRollup, Output, OutputRootProof, RollupConfig, Status } from "../interfaces/IRollup.sol";
import { HeaderReader } from "../lib/HeaderReader.sol";
import { OutputHash } from "../lib/OutputHash.sol";

/// @title Rollup
/// @notice Outputs and their bonds; see IRollup.
contract Rollup is IRollup {
    bytes32 private constant OUTPUT_VERSION = bytes32(0);
    uint64 private constant GENESIS_ENTRY = 0;
    uint64 private constant GENESIS_L2_BLOCK_NUMBER = 0;
    uint256 private constant GENESIS_INDEX = 0;

    /// @dev Blob data is gone from L1 after about 18 days; a challenger must be able to read it in the window.
    uint64 private constant CHALLENGE_WINDOW_MAX = 14 days;

    /// @inheritdoc IRollup
    IInbox public immutable inbox;
    /// @inheritdoc IRollup
    uint64 public immutable challengeWindow;
    /// @inheritdoc IRollup
    uint64 public immutable entriesPerOutputMax;
    /// @inheritdoc IRollup
    uint256 public immutable proposerBond;
    /// @inheritdoc IRollup
    uint256 public immutable challengerBond;

    Output[] private _outputs;
    /// @dev Index plus one; zero where nobody made the claim.
    mapping(bytes32 claim => uint256 indexPlusOne) private _indexOf;
    /// @inheritdoc IRollup
    uint256 public lastFinalIndex;
    /// @inheritdoc IRollup
    mapping(address account => uint256 amount) public bondCredit;

    constructor(IInbox inbox_, bytes32 genesisOutputRoot, RollupConfig memory config) {
        bool works = genesisOutputRoot != 0 && config.challengeWindow != 0
            && config.challengeWindow <= CHALLENGE_WINDOW_MAX && config.entriesPerOutputMax != 0;
        if (!works) revert Rollup_BadConfig();
        inbox = inbox_;
        challengeWindow = config.challengeWindow;
        entriesPerOutputMax = config.entriesPerOutputMax;
        proposerBond = config.proposerBond;
        challengerBond = config.challengerBond;

        bytes32 claim =
            OutputHash.claim(bytes32(0), GENESIS_ENTRY, inbox_.acc(GENESIS_ENTRY), genesisOutputRoot);
        _outputs.push(
            Output({
                claim: claim,
                outputRoot: genesisOutputRoot,
                parentIndex: GENESIS_INDEX,
                entry: GENESIS_ENTRY,
                l2BlockNumber: GENESIS_L2_BLOCK_NUMBER,
                proposedAt: uint64(block.timestamp),
                proposer: address(0),
                challenger: address(0),
                status: Status.Final
            })
        );
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
        Output storage parent = _at(parentIndex);
        _checkParent(parent, parentIndex, parentClaim);
        _checkEntry(entry, parent.entry, expectedAcc);
        uint64 l2BlockNumber = _checkHeader(proof, header, parent.l2BlockNumber);

        bytes32 outputRoot = OutputHash.root(proof);
        bytes32 claim = OutputHash.claim(parentClaim, entry, expectedAcc, outputRoot);
        if (_indexOf[claim] != 0) revert Rollup_DuplicateClaim(claim, _indexOf[claim] - 1);

        index = _outputs.length;
        _indexOf[claim] = index + 1;
        Output memory proposed = Output({
            claim: claim,
            outputRoot: outputRoot,
            parentIndex: parentIndex,
            entry: entry,
            l2BlockNumber: l2BlockNumber,
            proposedAt: uint64(block.timestamp),
            proposer: msg.sender,
            challenger: address(0),
            status: Status.Proposed
        });
        _outputs.push(proposed);
        _emitProposed(index, proposed, proof, header);
    }

    /// @inheritdoc IRollup
    function challenge(uint256 index, bytes32 claim) external payable {
        if (msg.value != challengerBond) revert Rollup_WrongBond(challengerBond, msg.value);
        Output storage challenged = _at(index);
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
        Output storage finalized = _at(index);
        if (finalized.status != Status.Proposed) revert Rollup_NotProposed(index, finalized.status);
        uint64 endsAt = finalized.proposedAt + challengeWindow;
        if (block.timestamp < endsAt) revert Rollup_WindowOpen(index, endsAt);
        uint256 parentIndex = finalized.parentIndex;
        Status parentStatus = _outputs[parentIndex].status;
        if (parentStatus != Status.Final) revert Rollup_ParentNotFinal(parentIndex, parentStatus);

        finalized.status = Status.Final;
        if (finalized.entry > _outputs[lastFinalIndex].entry) lastFinalIndex = index;
        bondCredit[finalized.proposer] += proposerBond;
        emit OutputFinalized(index, finalized.claim);
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
    function outputCount() external view returns (uint256) {
        return _outputs.length;
    }

    /// @inheritdoc IRollup
    function output(uint256 index) external view returns (Output memory) {
        return _at(index);
    }

    /// @inheritdoc IRollup
    function indexOf(bytes32 claim) external view returns (uint256) {
        uint256 indexPlusOne = _indexOf[claim];
        if (indexPlusOne == 0) revert Rollup_UnknownClaim(claim);
        return indexPlusOne - 1;
    }

    function _checkParent(Output storage parent, uint256 parentIndex, bytes32 parentClaim) private view {
        if (parent.claim != parentClaim) revert Rollup_WrongClaim(parentIndex, parentClaim, parent.claim);
        if (parent.status == Status.Challenged) revert Rollup_ParentChallenged(parentIndex);
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
        Output memory proposed,
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

    function _at(uint256 index) private view returns (Output storage) {
        if (index >= _outputs.length) revert Rollup_UnknownOutput(index, _outputs.length);
        return _outputs[index];
    }
}
