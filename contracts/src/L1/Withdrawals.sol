// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IPortal, PortalConfig, WithdrawalTransaction } from "../interfaces/IPortal.sol";
import { IRollup, Output, OutputRootProof, Status } from "../interfaces/IRollup.sol";
import { OutputHash } from "../lib/OutputHash.sol";
import { WithdrawalLib } from "../lib/WithdrawalLib.sol";

/// @title Withdrawals
/// @notice Withdrawals from L2: proofs, their waiting time, execution and the guardian's pause; see IPortal.
abstract contract Withdrawals is IPortal {
    /// @inheritdoc IPortal
    string public constant version = "2.8.0";
    /// @inheritdoc IPortal
    uint256 public constant WITHDRAWAL_GAS_MAX = 15_000_000;

    /// @dev The value of l2Sender() while no message is executed, as in the OP stack.
    address private constant NO_L2_SENDER = 0x000000000000000000000000000000000000dEaD;

    /// @dev Gas from the check to the message's first instruction: at most that of a call with value that
    ///      creates a cold account.
    uint256 private constant CALL_GAS = 60_000;
    /// @dev A call passes on at most 63/64 of the gas (EIP-150).
    uint256 private constant CALL_GAS_PARTS = 64;

    uint64 private constant PAUSE_MAX_BOUND = 14 days;
    /// @dev Least time from the start of a pause to the start of the next, as a multiple of pauseMax.
    uint64 private constant PAUSE_PERIOD = 4;

    /// @dev The proof of a withdrawal.
    struct Proof {
        bytes32 outputRoot;
        uint128 timestamp;
        uint128 l2OutputIndex;
    }

    IRollup private immutable _rollup;
    /// @inheritdoc IPortal
    address public immutable guardian;
    /// @inheritdoc IPortal
    uint64 public immutable pauseMax;

    mapping(bytes32 withdrawalHash => Proof) private _proofs;
    /// @inheritdoc IPortal
    mapping(bytes32 withdrawalHash => bool) public finalizedWithdrawals;
    /// @inheritdoc IPortal
    uint64 public pausedUntil;
    /// @inheritdoc IPortal
    uint64 public nextPauseFrom;
    /// @dev L2 sender of the message that this transaction executes.
    address private transient _l2Sender;

    constructor(PortalConfig memory config) {
        bool works = address(config.rollup) != address(0) && config.pauseMax <= PAUSE_MAX_BOUND;
        if (!works) revert Portal_BadConfig();
        _rollup = config.rollup;
        guardian = config.guardian;
        pauseMax = config.pauseMax;
    }

    modifier whenNotPaused() {
        if (paused()) revert Portal_Paused(pausedUntil);
        _;
    }

    modifier onlyGuardian() {
        if (msg.sender != guardian) revert Portal_NotGuardian(msg.sender);
        _;
    }

    /// @inheritdoc IPortal
    function proveWithdrawalTransaction(
        WithdrawalTransaction calldata _tx,
        uint256 _l2OutputIndex,
        OutputRootProof calldata _outputRootProof,
        bytes[] calldata _withdrawalProof
    ) external whenNotPaused {
        if (_tx.target == address(this)) {
            revert Portal_BadTarget(_tx.target);
        }
        bytes32 withdrawalHash = WithdrawalLib.hash(_tx);
        _checkUnproven(withdrawalHash);
        bytes32 outputRoot = _checkOutput(_l2OutputIndex, _outputRootProof);
        bool sent = WithdrawalLib.isSent(
            withdrawalHash, _outputRootProof.messagePasserStorageRoot, _withdrawalProof
        );
        if (!sent) revert Portal_NotSent(withdrawalHash);

        _proofs[withdrawalHash] = Proof({
            outputRoot: outputRoot,
            timestamp: uint128(block.timestamp),
            l2OutputIndex: uint128(_l2OutputIndex)
        });
        emit WithdrawalProven(withdrawalHash, _tx.sender, _tx.target);
    }

    /// @inheritdoc IPortal
    function finalizeWithdrawalTransaction(WithdrawalTransaction calldata _tx) external whenNotPaused {
        if (_l2Sender != address(0)) revert Portal_Reentered();
        bytes32 withdrawalHash = WithdrawalLib.hash(_tx);
        if (finalizedWithdrawals[withdrawalHash]) revert Portal_AlreadyFinalized(withdrawalHash);
        _checkMature(withdrawalHash);

        finalizedWithdrawals[withdrawalHash] = true;
        emit WithdrawalFinalized(withdrawalHash, true);
        // The zero address sends no message, so `_l2Sender` is not zero from here on.
        _l2Sender = _tx.sender;
        _execute(withdrawalHash, _tx);
        _l2Sender = address(0);
    }

    /// @inheritdoc IPortal
    function pause() external onlyGuardian {
        if (block.timestamp < nextPauseFrom) revert Portal_PausedTooRecently(nextPauseFrom);
        pausedUntil = uint64(block.timestamp) + pauseMax;
        nextPauseFrom = uint64(block.timestamp) + PAUSE_PERIOD * pauseMax;
        emit Paused(msg.sender);
    }

    /// @inheritdoc IPortal
    function unpause() external onlyGuardian {
        if (!paused()) revert Portal_NotPaused();
        pausedUntil = uint64(block.timestamp);
        emit Unpaused(msg.sender);
    }

    /// @inheritdoc IPortal
    function paused() public view returns (bool) {
        return block.timestamp < pausedUntil;
    }

    /// @inheritdoc IPortal
    function l2Oracle() external view returns (IRollup) {
        return _rollup;
    }

    /// @inheritdoc IPortal
    function l2Sender() external view returns (address) {
        return _l2Sender == address(0) ? NO_L2_SENDER : _l2Sender;
    }

    /// @inheritdoc IPortal
    function provenWithdrawals(bytes32 withdrawalHash)
        external
        view
        returns (bytes32 outputRoot, uint128 timestamp, uint128 l2OutputIndex)
    {
        Proof memory proof = _proofs[withdrawalHash];
        bool stands = proof.timestamp != 0 && !_rollup.isDisputed(proof.l2OutputIndex);
        if (stands) return (proof.outputRoot, proof.timestamp, proof.l2OutputIndex);
    }

    /// @inheritdoc IPortal
    function isOutputFinalized(uint256 _l2OutputIndex) public view returns (bool) {
        return _rollup.output(_l2OutputIndex).status == Status.Final;
    }

    function _checkUnproven(bytes32 withdrawalHash) private view {
        if (finalizedWithdrawals[withdrawalHash]) revert Portal_AlreadyFinalized(withdrawalHash);
        Proof memory proof = _proofs[withdrawalHash];
        bool stands = proof.timestamp != 0 && !_rollup.isDisputed(proof.l2OutputIndex);
        if (stands) revert Portal_AlreadyProven(withdrawalHash, proof.l2OutputIndex);
    }

    /// @dev Checks that `proof` is the preimage of the output's root and that the output itself is not
    ///      disputed. Its ancestors need no check: if one is disputed, the proof can be replaced.
    function _checkOutput(uint256 index, OutputRootProof calldata proof)
        private
        view
        returns (bytes32 outputRoot)
    {
        Output memory output = _rollup.output(index);
        bool well = output.status == Status.Proposed || output.status == Status.Final;
        if (!well) revert Portal_OutputDisputed(index);
        outputRoot = output.outputRoot;
        bytes32 found = OutputHash.root(proof);
        if (found != outputRoot) revert Portal_WrongOutputRoot(outputRoot, found);
    }

    /// @dev Checks that the proof has stood long enough, and that its output is final or becomes so.
    function _checkMature(bytes32 withdrawalHash) private {
        Proof memory proof = _proofs[withdrawalHash];
        if (proof.timestamp == 0) revert Portal_NotProven(withdrawalHash);
        uint256 from = uint256(proof.timestamp) + _rollup.challengeWindow();
        if (block.timestamp < from) revert Portal_ProofTooYoung(withdrawalHash, from);
        if (!isOutputFinalized(proof.l2OutputIndex)) _rollup.finalize(proof.l2OutputIndex);
    }

    /// @dev Makes the message's call with at least the gas that it asks for.
    function _execute(bytes32 withdrawalHash, WithdrawalTransaction calldata _tx) private {
        uint256 asked = _tx.gasLimit < WITHDRAWAL_GAS_MAX ? _tx.gasLimit : WITHDRAWAL_GAS_MAX;
        bytes memory data = _tx.data;
        uint256 needed = asked * CALL_GAS_PARTS / (CALL_GAS_PARTS - 1) + CALL_GAS;
        if (gasleft() < needed) revert Portal_NotEnoughGas(gasleft(), needed);
        (bool success, bytes memory reason) = _tx.target.call{ value: _tx.value }(data);
        if (!success) revert Portal_CallFailed(withdrawalHash, reason);
    }
}
