// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IRollup, OutputRootProof } from "./IRollup.sol";

/// @notice A message from L2, as L2ToL1MessagePasser recorded it.
struct WithdrawalTransaction {
    uint256 nonce;
    /// The sender on L2.
    address sender;
    /// The call on L1: target, wei, least gas and calldata.
    address target;
    uint256 value;
    uint256 gasLimit;
    bytes data;
}

/// @notice Parameters of a portal, fixed at deployment.
struct PortalConfig {
    /// The rollup whose outputs prove withdrawals. It may be deployed after the portal.
    IRollup rollup;
    /// The account that may pause withdrawals, and nothing else; zero for none.
    address guardian;
    /// Seconds that a pause lasts, at most 14 days. A pause may start four times as long after the start of
    /// the last one.
    uint64 pauseMax;
}

/// @title IPortal
/// @notice Deposits to L2 and withdrawals from it.
///
///         A withdrawal takes two steps. First, anyone proves that an output of the rollup commits to a
///         message.
///         Then, once the output is final and the proof is as old as the rollup's challenge window, anyone
///         executes
///         the message, exactly once. Names and meanings are those of the OP stack's OptimismPortal 2.8.0.
///
///         Deposits form a first-in, first-out queue. The queue is a hash chain. With `acc_0 = 0`,
///
///             acc_{n+1} = keccak256(abi.encode(acc_n, uint64 n, uint64 l1BlockNumber, address from, address to,
///                                              uint256 version, keccak256(opaqueData)))
///
///         over the fields of deposit n's TransactionDeposited event and the L1 block that holds it. With
///         `acc_n`, a
///         list of deposits can be checked without L1's receipts. Nobody can withdraw or reorder a deposit.
interface IPortal {
    /// @notice The deposit's data is longer than DEPOSIT_DATA_BYTES_MAX.
    error Portal_DataTooLong(uint256 length, uint256 max);
    /// @notice The gas limit does not cover the transaction's intrinsic gas.
    error Portal_GasLimitTooLow(uint64 gasLimit, uint64 min);
    /// @notice The gas limit exceeds the cap for one transaction.
    error Portal_GasLimitTooHigh(uint64 gasLimit, uint64 max);
    /// @notice The deposit is metered as more L2 gas than is left in this L1 block.
    error Portal_DepositGasSoldOut(uint64 gas, uint64 left);
    /// @notice A creation names a recipient.
    error Portal_CreationWithRecipient(address to);
    /// @notice The deposit does not exist yet.
    error Portal_UnknownDeposit(uint64 index, uint64 count);

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
    /// @notice The output is disputed, so it proves nothing.
    error Portal_OutputDisputed(uint256 l2OutputIndex);
    /// @notice The proof is not the preimage of the output's root.
    error Portal_WrongOutputRoot(bytes32 expected, bytes32 found);
    /// @notice The output's state does not record the message.
    error Portal_NotSent(bytes32 withdrawalHash);
    /// @notice The withdrawal is proven, on an output that is not disputed.
    error Portal_AlreadyProven(bytes32 withdrawalHash, uint256 l2OutputIndex);
    /// @notice The withdrawal is not proven.
    error Portal_NotProven(bytes32 withdrawalHash);
    /// @notice The proof is younger than the challenge window.
    error Portal_ProofTooYoung(bytes32 withdrawalHash, uint256 from);
    /// @notice The withdrawal was executed.
    error Portal_AlreadyFinalized(bytes32 withdrawalHash);
    /// @notice Another withdrawal is being executed.
    error Portal_Reentered();
    /// @notice The message's call would not get the gas that it asks for.
    error Portal_NotEnoughGas(uint256 found, uint256 needed);
    /// @notice The message's call failed. Nothing happened, and it can be tried again.
    error Portal_CallFailed(bytes32 withdrawalHash, bytes reason);

    /// @notice A withdrawal was proven. It may be proven again if the output of its proof is disputed.
    event WithdrawalProven(bytes32 indexed withdrawalHash, address indexed from, address indexed to);

    /// @notice A withdrawal was executed; `success` is always true.
    event WithdrawalFinalized(bytes32 indexed withdrawalHash, bool success);

    /// @notice Withdrawals are paused, until pausedUntil().
    event Paused(address account);

    /// @notice The guardian ended a pause early.
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
    /// @dev This call buys max(_gasLimit, DEPOSIT_GAS_MIN) L2 gas at the deposits' base fee and pays in L1 gas, at the
    ///      L1 block's base fee or 1 gwei, if that is more. It burns the L1 gas that it did not use otherwise.
    ///      The deposits' base fee follows demand as in EIP-1559; see params().
    ///      WARNING: the price may rise until the transaction is included, and then the call runs out of gas.
    ///      WARNING: the mint stays with the sender if the L2 call fails or `_value` exceeds the sender's L2
    ///      balance.
    ///      A contract's mint then stays with its alias on L2, and the contract can move it only by another
    ///      deposit.
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

    /// @notice Proves a withdrawal and starts its waiting time. Anyone may call it.
    /// @dev A withdrawal has one proof. A new proof starts the waiting time anew, so it can replace the old
    ///      one only if the old proof's output, or an ancestor of that output, was challenged or rejected.
    ///      WARNING: the output need not be final. If the output turns out wrong, the withdrawal must be
    ///      proven again.
    /// @param _tx The message.
    /// @param _l2OutputIndex Index of a proposed or final output whose state records the message.
    /// @param _outputRootProof Preimage of its output root.
    /// @param _withdrawalProof The nodes of L2ToL1MessagePasser's storage trie, from the root to the leaf of the
    ///        message's slot.
    function proveWithdrawalTransaction(
        WithdrawalTransaction calldata _tx,
        uint256 _l2OutputIndex,
        OutputRootProof calldata _outputRootProof,
        bytes[] calldata _withdrawalProof
    ) external;

    /// @notice Executes a proven withdrawal whose waiting time is over, and finalizes its output if
    ///         necessary. Anyone may call it.
    /// @dev If the message's call fails, the transaction reverts and can be tried again.
    ///      WARNING: the ether of a message whose call always fails stays in the portal.
    function finalizeWithdrawalTransaction(WithdrawalTransaction calldata _tx) external;

    /// @notice Pauses withdrawals for pauseMax() seconds. Only for guardian(), and only four times as long
    ///         after the last pause began. Deposits, outputs and forced inclusion go on.
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
    function l2Oracle() external view returns (IRollup);

    /// @notice The L2 sender of the message that is being executed; 0x…dEaD outside of an execution.
    function l2Sender() external view returns (address);

    /// @notice The proof of a withdrawal; zeros if there is none or it must be repeated.
    /// @return outputRoot The root of the output that the proof uses.
    /// @return timestamp L1 time of the proof in seconds.
    /// @return l2OutputIndex Index of the output that the proof uses.
    function provenWithdrawals(bytes32 withdrawalHash)
        external
        view
        returns (bytes32 outputRoot, uint128 timestamp, uint128 l2OutputIndex);

    /// @notice Whether a withdrawal was executed.
    function finalizedWithdrawals(bytes32 withdrawalHash) external view returns (bool);

    /// @notice Whether an output is final.
    function isOutputFinalized(uint256 _l2OutputIndex) external view returns (bool);

    /// @notice Version of the OP stack's portal that this one is compatible with. Tools choose the functions
    ///         to call by it.
    function version() external view returns (string memory);

    /// @notice Maximum L1 gas that is guaranteed to a message's call.
    function WITHDRAWAL_GAS_MAX() external view returns (uint256);

    /// @notice Number of deposits.
    function depositCount() external view returns (uint64);

    /// @notice The accumulator over the first `count` deposits.
    function depositAcc(uint64 count) external view returns (bytes32);

    /// @notice L1 time in seconds at which deposit `index` was made.
    function depositTime(uint64 index) external view returns (uint64);

    /// @notice The least gas limit of a deposit with `dataBytes` bytes of data.
    function minimumGasLimit(uint64 dataBytes, bool isCreation) external pure returns (uint64);

    /// @notice Version of the opaque data's layout.
    function DEPOSIT_VERSION() external view returns (uint256);

    /// @notice Maximum length of a deposit's data in bytes.
    function DEPOSIT_DATA_BYTES_MAX() external view returns (uint64);

    /// @notice Maximum L2 gas of a deposit: the per-transaction cap of EIP-7825.
    function GAS_LIMIT_MAX() external view returns (uint64);

    /// @notice L2 gas of a deposit made by sending ether.
    function RECEIVE_GAS_LIMIT() external view returns (uint64);

    /// @notice State of the deposits' base fee; names and meanings are those of the OP stack's ResourceMetering.
    /// @return prevBaseFee Wei for a unit of L2 gas in the L1 block of the last deposit.
    /// @return prevBoughtGas L2 gas bought in that block.
    /// @return prevBlockNum Number of that block.
    function params() external view returns (uint128 prevBaseFee, uint64 prevBoughtGas, uint64 prevBlockNum);

    /// @notice Most L2 gas that deposits may buy in one L1 block.
    function DEPOSIT_GAS_PER_L1_BLOCK_MAX() external view returns (uint64);

    /// @notice L2 gas that each deposit buys at least.
    function DEPOSIT_GAS_MIN() external view returns (uint64);

    /// @notice The deposits' base fee rises when an L1 block buys more than
    ///         DEPOSIT_GAS_PER_L1_BLOCK_MAX / DEPOSIT_GAS_ELASTICITY.
    function DEPOSIT_GAS_ELASTICITY() external view returns (uint64);

    /// @notice An L1 block without deposits lowers their base fee by a fraction of 1 / DEPOSIT_BASE_FEE_DENOMINATOR.
    function DEPOSIT_BASE_FEE_DENOMINATOR() external view returns (uint64);

    /// @notice Minimum of the deposits' base fee in wei.
    function DEPOSIT_BASE_FEE_MIN() external view returns (uint128);

    /// @notice Maximum of the deposits' base fee in wei.
    function DEPOSIT_BASE_FEE_MAX() external view returns (uint128);

    /// @notice Minimum L1 base fee in wei at which L1 gas counts as payment.
    function L1_BASE_FEE_MIN() external view returns (uint256);
}
