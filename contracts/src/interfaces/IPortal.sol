// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IPortal
/// @notice Where ether and calls enter L2: a first-in, first-out queue of deposits.
///
///         The queue is a hash chain. With `acc_0 = 0`,
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
