// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IBonds
/// @notice Credits for won and returned bonds, until their owners withdraw them.
interface IBonds {
    /// @notice The account has no credit.
    error Bonds_NothingToWithdraw(address account);
    /// @notice The account does not accept ether.
    error Bonds_TransferFailed(address account);

    /// @notice An account was credited.
    event BondCredited(address indexed account, uint256 amount);

    /// @notice An account withdrew its credit.
    event BondWithdrawn(address indexed account, uint256 amount);

    /// @notice Pays the caller's credit to the caller.
    function withdrawBond() external;

    /// @notice Wei that `account` can withdraw.
    function bondCredit(address account) external view returns (uint256);
}
