// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IRollup, OutputRootProof } from "./IRollup.sol";

/// @notice A message from L2, as L2ToL1MessagePasser recorded it.
struct WithdrawalTransaction {
    uint256 nonce;
    /// Who sent it on L2.
    address sender;
    /// Whom it calls on L1, with how many wei, how much gas at least, and what data.
    address target;
    uint256 value;
    uint256 gasLimit;
    bytes data;
}

/// @notice Parameters of a portal, fixed at deployment.
struct PortalConfig {
    /// The outputs on which withdrawals are proven. It may be deployed after the portal.
    IRollup rollup;
    /// May pause withdrawals, and do nothing else; nobody may if it is zero.
    address guardian;
    /// Seconds that a pause lasts, and a quarter of the time from the beginning of one to that of the next; at most
    /// 14 days.
    uint64 pauseMax;
}

/// @title IPortal
/// @notice Where ether and calls enter L2, and where they leave it.
///
///         They leave it in two steps. Anyone proves that an output of the rollup commits to a message; once the
///         output is final and the proof has stood for the rollup's challenge window, anyone has the message
///         executed, exactly once. The names and meanings are those of the OP stack's OptimismPortal 2.8.0.
///
///         They enter it through a first-in, first-out queue of deposits. The queue is a hash chain. With `acc_0 = 0`,
///
///             acc_{n+1} = keccak256(abi.encode(acc_n, uint64 n, uint64 l1BlockNumber, address from, address to,
///                                              uint256 version, keccak256(opaqueData)))
///
///         over the fields of deposit n's TransactionDeposited event and the L1 block that holds it. Whoever knows
///         `acc_n` can check a list of deposits without L1's receipts. Nobody can take a deposit back or reorder it.
interface IPortal {
    /// @notice The deposit's data is longer than DEPOSIT_DATA_BYTES_MAX.
    error Portal_DataTooLong(uint256 length, uint256 max);
    /// @notice The gas limit does not cover the transaction's intrinsic gas.
    error Portal_GasLimitTooLow(uint64 gasLimit, uint64 min);
    /// @notice The gas limit exceeds the cap for one transaction.
    error Portal_GasLimitTooHigh(uint64 gasLimit, uint64 max);
    /// @notice A creation names a recipient.
    error Portal_CreationWithRecipient(address to);
    /// @notice There is no such deposit yet.
    error Portal_UnknownDeposit(uint64 index, uint64 count);

    /// @notice The configuration makes no working portal.
    error Portal_BadConfig();
    /// @notice Withdrawals are paused.
    error Portal_Paused(uint64 until);
    /// @notice The caller may not pause.
    error Portal_NotGuardian(address caller);
    /// @notice The next pause may begin only later.
    error Portal_PausedTooRecently(uint64 nextPauseFrom);
    /// @notice Withdrawals are not paused.
    error Portal_NotPaused();
    /// @notice The message calls this contract.
    error Portal_BadTarget(address target);
    /// @notice The output is disputed already: nothing can be proven on it.
    error Portal_OutputDisputed(uint256 l2OutputIndex);
    /// @notice The output commits to something else.
    error Portal_WrongOutputRoot(bytes32 expected, bytes32 found);
    /// @notice L2 does not hold the message.
    error Portal_NotSent(bytes32 withdrawalHash);
    /// @notice The withdrawal is proven, on an output that is not disputed.
    error Portal_AlreadyProven(bytes32 withdrawalHash, uint256 l2OutputIndex);
    /// @notice The withdrawal is not proven.
    error Portal_NotProven(bytes32 withdrawalHash);
    /// @notice The proof has not stood long enough.
    error Portal_ProofTooYoung(bytes32 withdrawalHash, uint256 from);
    /// @notice The withdrawal was executed.
    error Portal_AlreadyFinalized(bytes32 withdrawalHash);
    /// @notice Another withdrawal is being executed.
    error Portal_Reentered();
    /// @notice The message's call would not get the gas that it asks for.
    error Portal_NotEnoughGas(uint256 found, uint256 needed);
    /// @notice The message's call failed. Nothing happened, and it can be tried again.
    error Portal_CallFailed(bytes32 withdrawalHash, bytes reason);

    /// @notice A withdrawal was proven; again, if its proof stood on an output that is disputed now.
    event WithdrawalProven(bytes32 indexed withdrawalHash, address indexed from, address indexed to);

    /// @notice A withdrawal was executed; `success` is always true.
    event WithdrawalFinalized(bytes32 indexed withdrawalHash, bool success);

    /// @notice Withdrawals are paused, until pausedUntil().
    event Paused(address account);

    /// @notice A pause was ended before its time.
    event Unpaused(address account);

    /// @notice A deposit joined the queue. The n-th of these events is deposit n.
    /// @param from The L2 sender: the caller, aliased if it is a contract.
    /// @param to The L2 recipient; zero for a creation.
    /// @param version Layout of `opaqueData`: DEPOSIT_VERSION.
    /// @param opaqueData abi.encodePacked(uint256 mint, uint256 value, uint64 gasLimit, bool isCreation, bytes data).
    event TransactionDeposited(
        address indexed from, address indexed to, uint256 indexed version, bytes opaqueData
    );

    /// @notice Mints the ether sent along to the caller on L2 and calls `_to` from there.
    /// @dev The L1 gas of this call is at least `_gasLimit / GAS_BURN_DIVISOR`: what it did not use is burned. That
    ///      is the price of L2 gas bought here.
    ///      WARNING: the mint stays with the sender if the L2 call fails or `_value` exceeds the sender's L2 balance.
    ///      A contract's mint stays with its alias, which only this contract can move, by another deposit.
    /// @param _to L2 recipient; must be zero for a creation.
    /// @param _value Wei that the L2 call carries, from the sender's L2 balance after the mint.
    /// @param _gasLimit L2 gas of the call, from minimumGasLimit(…) to GAS_LIMIT_MAX.
    /// @param _isCreation Whether the L2 transaction creates a contract from `_data`.
    /// @param _data L2 calldata or init code, at most DEPOSIT_DATA_BYTES_MAX bytes.
    function depositTransaction(
        address _to,
        uint256 _value,
        uint64 _gasLimit,
        bool _isCreation,
        bytes calldata _data
    ) external payable;

    /// @notice Deposits the ether to the caller's own address on L2, with RECEIVE_GAS_LIMIT.
    /// @dev WARNING: meant for accounts with a key. A contract that sends ether here funds the same address on L2,
    ///      which it may not control; it should call depositTransaction.
    receive() external payable;

    /// @notice Proves a withdrawal, and starts its waiting time. Anyone may call it.
    /// @dev One proof stands at a time, and nobody can replace it by another, which would start the waiting time
    ///      anew, unless the output it stands on, or an ancestor of that, was challenged or rejected.
    ///      WARNING: the output need not be final. A proof on one that turns out wrong has to be made again.
    /// @param _tx The message.
    /// @param _l2OutputIndex Output that commits to a state in which L2 holds the message; proposed or final.
    /// @param _outputRootProof Preimage of its output root.
    /// @param _withdrawalProof The nodes of L2ToL1MessagePasser's storage trie, from the root to the leaf of the
    ///        message's slot.
    function proveWithdrawalTransaction(
        WithdrawalTransaction calldata _tx,
        uint256 _l2OutputIndex,
        OutputRootProof calldata _outputRootProof,
        bytes[] calldata _withdrawalProof
    ) external;

    /// @notice Executes a proven withdrawal whose waiting time is over. Finalizes its output if that is due. Anyone
    ///         may call it.
    /// @dev If the message's call fails, everything reverts and it can be tried again.
    ///      WARNING: a message whose call always fails never leaves, and its ether stays here.
    function finalizeWithdrawalTransaction(WithdrawalTransaction calldata _tx) external;

    /// @notice Pauses withdrawals for the time that PortalConfig sets. Only guardian(), and not sooner than four
    ///         times as long after the last pause began. Deposits, outputs and forced inclusion go on.
    function pause() external;

    /// @notice Ends a pause before its time. Only guardian().
    function unpause() external;

    /// @notice Whether withdrawals are paused.
    function paused() external view returns (bool);

    /// @notice L1 time in seconds until which withdrawals are paused; a time in the past if they are not.
    function pausedUntil() external view returns (uint64);

    /// @notice L1 time in seconds from which the guardian may pause.
    function nextPauseFrom() external view returns (uint64);

    /// @notice The account that may pause; zero if nobody may.
    function guardian() external view returns (address);

    /// @notice Seconds that a pause lasts, at most.
    function pauseMax() external view returns (uint64);

    /// @notice The rollup whose outputs withdrawals are proven on.
    function l2Oracle() external view returns (IRollup);

    /// @notice Who sent, on L2, the message that is being executed; 0x…dEaD while none is.
    function l2Sender() external view returns (address);

    /// @notice The proof of a withdrawal; zeros if there is none, or if it has to be made again.
    /// @return outputRoot The output root it stands on.
    /// @return timestamp L1 time in seconds at which it was made.
    /// @return l2OutputIndex Index of that output.
    function provenWithdrawals(bytes32 withdrawalHash)
        external
        view
        returns (bytes32 outputRoot, uint128 timestamp, uint128 l2OutputIndex);

    /// @notice Whether a withdrawal was executed.
    function finalizedWithdrawals(bytes32 withdrawalHash) external view returns (bool);

    /// @notice Whether an output is final.
    function isOutputFinalized(uint256 _l2OutputIndex) external view returns (bool);

    /// @notice Version of the OP stack's portal whose names and meanings these are: tools choose by it what to call.
    function version() external view returns (string memory);

    /// @notice Most L1 gas that a message's call is guaranteed, whatever it asks for.
    function WITHDRAWAL_GAS_MAX() external view returns (uint256);

    /// @notice Number of deposits ever made.
    function depositCount() external view returns (uint64);

    /// @notice The accumulator over the first `count` deposits.
    function depositAcc(uint64 count) external view returns (bytes32);

    /// @notice L1 time in seconds at which deposit `index` was made.
    function depositTime(uint64 index) external view returns (uint64);

    /// @notice The least gas limit of a deposit with `dataBytes` bytes of data.
    function minimumGasLimit(uint64 dataBytes, bool isCreation) external pure returns (uint64);

    /// @notice Version of the opaque data's layout.
    function DEPOSIT_VERSION() external view returns (uint256);

    /// @notice Most data bytes in one deposit.
    function DEPOSIT_DATA_BYTES_MAX() external view returns (uint64);

    /// @notice Most L2 gas for one deposit: the per-transaction cap of EIP-7825.
    function GAS_LIMIT_MAX() external view returns (uint64);

    /// @notice L2 gas of a deposit made by sending ether.
    function RECEIVE_GAS_LIMIT() external view returns (uint64);

    /// @notice L2 gas that one unit of L1 gas buys.
    function GAS_BURN_DIVISOR() external view returns (uint64);
}
