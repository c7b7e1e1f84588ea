// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { WithdrawalTransaction } from "../interfaces/IPortal.sol";
import { OutputRootProof } from "../interfaces/IRollup.sol";
import { OutputHash } from "../lib/OutputHash.sol";
import { WithdrawalLib } from "../lib/WithdrawalLib.sol";
import { IRollupV2, Status } from "./interfaces/IRollupV2.sol";
import { IWithdrawals, WithdrawalsConfig } from "./interfaces/IWithdrawals.sol";

/// @title WithdrawalsV2
/// @notice Withdrawals from L2: proofs, execution and the guardian's pause; see IWithdrawals.
abstract contract WithdrawalsV2 is IWithdrawals {
    /// @inheritdoc IWithdrawals
    string public constant version = "2.8.0";
    /// @inheritdoc IWithdrawals
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

    IRollupV2 private immutable _rollup;
    /// @inheritdoc IWithdrawals
    address public immutable guardian;
    /// @inheritdoc IWithdrawals
    uint64 public immutable pauseMax;

    mapping(bytes32 withdrawalHash => mapping(address submitter => Proof)) private _proofs;
    mapping(bytes32 withdrawalHash => Proof) private _listed;
    /// @inheritdoc IWithdrawals
    mapping(bytes32 withdrawalHash => bool) public finalizedWithdrawals;
    /// @inheritdoc IWithdrawals
    uint64 public pausedUntil;
    /// @inheritdoc IWithdrawals
    uint64 public nextPauseFrom;
    /// @dev L2 sender of the message that this transaction executes.
    address private transient _l2Sender;

    constructor(WithdrawalsConfig memory config) {
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

    /// @inheritdoc IWithdrawals
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
        if (finalizedWithdrawals[withdrawalHash]) revert Portal_AlreadyFinalized(withdrawalHash);
        bytes32 outputRoot = _checkOutput(_l2OutputIndex, _outputRootProof);
        bool sent = WithdrawalLib.isSent(
            withdrawalHash, _outputRootProof.messagePasserStorageRoot, _withdrawalProof
        );
        if (!sent) revert Portal_NotSent(withdrawalHash);

        Proof memory proof = Proof({
            outputRoot: outputRoot,
            timestamp: uint128(block.timestamp),
            l2OutputIndex: uint128(_l2OutputIndex)
        });
        _proofs[withdrawalHash][msg.sender] = proof;
        if (!_stands(_listed[withdrawalHash])) _listed[withdrawalHash] = proof;
        emit WithdrawalProven(withdrawalHash, _tx.sender, _tx.target);
        emit WithdrawalProvenExtension1(withdrawalHash, msg.sender);
    }

    /// @inheritdoc IWithdrawals
    function finalizeWithdrawalTransaction(WithdrawalTransaction calldata _tx) external whenNotPaused {
        bytes32 withdrawalHash = WithdrawalLib.hash(_tx);
        Proof memory own = _proofs[withdrawalHash][msg.sender];
        _finalize(withdrawalHash, _tx, _stands(own) ? own : _listed[withdrawalHash], msg.sender);
    }

    /// @inheritdoc IWithdrawals
    function finalizeWithdrawalTransactionExternalProof(
        WithdrawalTransaction calldata _tx,
        address _proofSubmitter
    ) external whenNotPaused {
        bytes32 withdrawalHash = WithdrawalLib.hash(_tx);
        _finalize(withdrawalHash, _tx, _proofs[withdrawalHash][_proofSubmitter], _proofSubmitter);
    }

    /// @inheritdoc IWithdrawals
    function pause() external onlyGuardian {
        if (block.timestamp < nextPauseFrom) revert Portal_PausedTooRecently(nextPauseFrom);
        pausedUntil = uint64(block.timestamp) + pauseMax;
        nextPauseFrom = uint64(block.timestamp) + PAUSE_PERIOD * pauseMax;
        emit Paused(msg.sender);
    }

    /// @inheritdoc IWithdrawals
    function unpause() external onlyGuardian {
        if (!paused()) revert Portal_NotPaused();
        pausedUntil = uint64(block.timestamp);
        emit Unpaused(msg.sender);
    }

    /// @inheritdoc IWithdrawals
    function paused() public view returns (bool) {
        return block.timestamp < pausedUntil;
    }

    /// @inheritdoc IWithdrawals
    function l2Oracle() external view returns (IRollupV2) {
        return _rollup;
    }

    /// @inheritdoc IWithdrawals
    function l2Sender() external view returns (address) {
        return _l2Sender == address(0) ? NO_L2_SENDER : _l2Sender;
    }

    /// @inheritdoc IWithdrawals
    function provenWithdrawals(bytes32 withdrawalHash)
        external
        view
        returns (bytes32 outputRoot, uint128 timestamp, uint128 l2OutputIndex)
    {
        Proof memory proof = _listed[withdrawalHash];
        if (_stands(proof)) return (proof.outputRoot, proof.timestamp, proof.l2OutputIndex);
    }

    /// @inheritdoc IWithdrawals
    function proofOf(bytes32 withdrawalHash, address submitter)
        external
        view
        returns (bytes32 outputRoot, uint128 timestamp, uint128 l2OutputIndex)
    {
        Proof memory proof = _proofs[withdrawalHash][submitter];
        if (_stands(proof)) return (proof.outputRoot, proof.timestamp, proof.l2OutputIndex);
    }

    /// @inheritdoc IWithdrawals
    function isOutputFinalized(uint256 _l2OutputIndex) public view returns (bool) {
        return _rollup.statusOf(_l2OutputIndex) == Status.Final;
    }

    /// @dev Executes a withdrawal with a proof, once the proof's output is final.
    function _finalize(
        bytes32 withdrawalHash,
        WithdrawalTransaction calldata _tx,
        Proof memory proof,
        address submitter
    ) private {
        if (_l2Sender != address(0)) revert Portal_Reentered();
        if (finalizedWithdrawals[withdrawalHash]) revert Portal_AlreadyFinalized(withdrawalHash);
        if (proof.timestamp == 0) revert Portal_NotProven(withdrawalHash, submitter);
        if (!isOutputFinalized(proof.l2OutputIndex)) _rollup.finalize(proof.l2OutputIndex);

        finalizedWithdrawals[withdrawalHash] = true;
        emit WithdrawalFinalized(withdrawalHash, true);
        // The zero address sends no message, so `_l2Sender` is not zero from here on.
        _l2Sender = _tx.sender;
        _execute(withdrawalHash, _tx);
        _l2Sender = address(0);
    }

    /// @dev Checks that `proof` is the preimage of the root of an output that stands or is final.
    function _checkOutput(uint256 index, OutputRootProof calldata proof)
        private
        view
        returns (bytes32 outputRoot)
    {
        if (!_isAlive(index)) revert Portal_OutputFallen(index);
        outputRoot = _rollup.output(index).outputRoot;
        bytes32 found = OutputHash.root(proof);
        if (found != outputRoot) revert Portal_WrongOutputRoot(outputRoot, found);
    }

    /// @dev Whether there is a proof, whose output stands or is final. The output's ancestors need no look: an output falls
    ///      with them at the latest when somebody voids it.
    function _stands(Proof memory proof) private view returns (bool) {
        return proof.timestamp != 0 && _isAlive(proof.l2OutputIndex);
    }

    function _isAlive(uint256 index) private view returns (bool) {
        Status status = _rollup.statusOf(index);
        return status == Status.Standing || status == Status.Final;
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
