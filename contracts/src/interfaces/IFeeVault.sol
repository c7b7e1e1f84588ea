// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IFeeVault
/// @notice Collects one kind of fee and sends it to one recipient on L1.
interface IFeeVault {
    /// @notice Genesis set no recipient.
    error FeeVault_NoRecipient();
    /// @notice The vault is empty.
    error FeeVault_Empty();

    /// @notice The balance was withdrawn.
    /// @param value Wei.
    /// @param to Recipient on L1.
    /// @param from The caller of withdraw().
    event Withdrawal(uint256 value, address to, address from);

    /// @notice Receives fees.
    receive() external payable;

    /// @notice Withdraws the whole balance to RECIPIENT() on L1. Anyone may call it.
    function withdraw() external;

    /// @notice Recipient on L1; storage slot 0, written by genesis.
    function RECIPIENT() external view returns (address);

    /// @notice Wei withdrawn so far; storage slot 1.
    function totalProcessed() external view returns (uint256);

    /// @notice L1 gas of the withdrawal.
    function WITHDRAWAL_MIN_GAS() external view returns (uint256);
}
