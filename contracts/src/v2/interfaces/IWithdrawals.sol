// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { WithdrawalTransaction } from "../../interfaces/IPortal.sol";
import { OutputRootProof } from "../../interfaces/IRollup.sol";
import { IRollupV2 } from "./IRollupV2.sol";

/// @notice Parameters of withdrawals, fixed at deployment.
struct WithdrawalsConfig {
    /// The rollup whose outputs prove withdrawals. It may be deployed later.
    IRollupV2 rollup;
    /// The account that may pause withdrawals, and nothing else; zero for none.
    address guardian;
    /// Seconds that a pause lasts, at most 14 days. A pause may start four times as long after the start of the last one.
    uint64 pauseMax;
}

/// @title IWithdrawals
/// @notice Withdrawals from L2, in two steps. First, anyone proves that an output commits to a message. Then, once the
///         output is final, anyone executes the message, exactly once.
///
///         Everybody has a proof of their own for each withdrawal, so that nobody's proof makes another's wait. Proofs stay
///         while their output is disputed and need no waiting time of their own. Besides, each withdrawal has one listed
///         proof, for tools that look for one: the first, until its output is rejected or void.
interface IWithdrawals {
    /// @notice The configuration is invalid.
    error Portal_BadConfig();
    /// @notice Withdrawals are paused.
    error Portal_Paused(uint64 until);
    /// @notice The caller is not the guardian.
    error Portal_NotGuardian(address caller);
    /// @notice The last pause began too recently.
    error Portal_PausedTooRecently(uint64 nextPauseFrom);
    /// @notice Withdrawals are not paused.
    error Portal_NotPaused();
    /// @notice The message's target is this contract.
    error Portal_BadTarget(address target);
    /// @notice The output is rejected or void, so it proves nothing.
    error Portal_OutputFallen(uint256 l2OutputIndex);
    /// @notice The proof is not the preimage of the output's root.
    error Portal_WrongOutputRoot(bytes32 expected, bytes32 found);
    /// @notice The output's state does not record the message.
    error Portal_NotSent(bytes32 withdrawalHash);
    /// @notice The withdrawal is not proven by this account.
    error Portal_NotProven(bytes32 withdrawalHash, address submitter);
    /// @notice The withdrawal was executed.
    error Portal_AlreadyFinalized(bytes32 withdrawalHash);
    /// @notice Another withdrawal is being executed.
    error Portal_Reentered();
    /// @notice The message's call would not get the gas that it asks for.
    error Portal_NotEnoughGas(uint256 found, uint256 needed);
    /// @notice The message's call failed. Nothing happened, and it can be tried again.
    error Portal_CallFailed(bytes32 withdrawalHash, bytes reason);

    /// @notice A withdrawal was proven.
    event WithdrawalProven(bytes32 indexed withdrawalHash, address indexed from, address indexed to);

    /// @notice Who proved it.
    event WithdrawalProvenExtension1(bytes32 indexed withdrawalHash, address indexed proofSubmitter);

    /// @notice A withdrawal was executed; `success` is always true.
    event WithdrawalFinalized(bytes32 indexed withdrawalHash, bool success);

    /// @notice Withdrawals are paused, until pausedUntil().
    event Paused(address account);

    /// @notice The guardian ended a pause early.
    event Unpaused(address account);

    /// @notice Proves a withdrawal, for the caller. Replaces the caller's earlier proof of it.
    /// @dev WARNING: the output need not be final. If it turns out wrong, the withdrawal must be proven again.
    /// @param _tx The message.
    /// @param _l2OutputIndex Index of an output that stands or is final, whose state records the message.
    /// @param _outputRootProof Preimage of its output root.
    /// @param _withdrawalProof The nodes of L2ToL1MessagePasser's storage trie, from the root to the leaf of the message's
    ///        slot.
    function proveWithdrawalTransaction(
        WithdrawalTransaction calldata _tx,
        uint256 _l2OutputIndex,
        OutputRootProof calldata _outputRootProof,
        bytes[] calldata _withdrawalProof
    ) external;

    /// @notice Executes a withdrawal that the caller has proven, or whose listed proof stands, and finalizes the proof's
    ///         output if necessary, with at most 32 ancestors. Anyone may call it.
    /// @dev If the message's call fails, the transaction reverts and can be tried again.
    ///      WARNING: the ether of a message whose call always fails stays in the portal.
    function finalizeWithdrawalTransaction(WithdrawalTransaction calldata _tx) external;

    /// @notice The same, with the proof of another account.
    function finalizeWithdrawalTransactionExternalProof(
        WithdrawalTransaction calldata _tx,
        address _proofSubmitter
    ) external;

    /// @notice Pauses withdrawals for pauseMax() seconds. Only for guardian(), and only four times as long after the last
    ///         pause began. Deposits, outputs and forced inclusion go on.
    function pause() external;

    /// @notice Ends a pause early. Only for guardian().
    function unpause() external;

    /// @notice Whether withdrawals are paused.
    function paused() external view returns (bool);

    /// @notice L1 time in seconds at which the last pause ends or ended.
    function pausedUntil() external view returns (uint64);

    /// @notice L1 time in seconds from which the guardian may pause.
    function nextPauseFrom() external view returns (uint64);

    /// @notice The account that may pause withdrawals; zero for none.
    function guardian() external view returns (address);

    /// @notice Maximum length of a pause in seconds.
    function pauseMax() external view returns (uint64);

    /// @notice The rollup whose outputs prove withdrawals.
    function l2Oracle() external view returns (IRollupV2);

    /// @notice The L2 sender of the message that is being executed; 0x…dEaD outside of an execution.
    function l2Sender() external view returns (address);

    /// @notice The listed proof of a withdrawal; zeros if there is none that stands.
    /// @return outputRoot The root of the output that the proof uses.
    /// @return timestamp L1 time of the proof in seconds.
    /// @return l2OutputIndex Index of the output that the proof uses.
    function provenWithdrawals(bytes32 withdrawalHash)
        external
        view
        returns (bytes32 outputRoot, uint128 timestamp, uint128 l2OutputIndex);

    /// @notice An account's proof of a withdrawal; zeros if there is none that stands.
    function proofOf(bytes32 withdrawalHash, address submitter)
        external
        view
        returns (bytes32 outputRoot, uint128 timestamp, uint128 l2OutputIndex);

    /// @notice Whether a withdrawal was executed.
    function finalizedWithdrawals(bytes32 withdrawalHash) external view returns (bool);

    /// @notice Whether an output is final.
    function isOutputFinalized(uint256 _l2OutputIndex) external view returns (bool);

    /// @notice Version of the OP stack's portal that this one is compatible with. Tools choose the functions to call by it.
    function version() external view returns (string memory);

    /// @notice Maximum L1 gas that is guaranteed to a message's call.
    function WITHDRAWAL_GAS_MAX() external view returns (uint256);
}
