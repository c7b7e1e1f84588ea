// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IStandardBridge } from "./IStandardBridge.sol";

/// @title IL2StandardBridge
/// @notice The bridge on L2: deposits come from the alias of the bridge on L1; withdrawals go through
///         L2ToL1MessagePasser. A deposit that cannot be delivered goes back to its sender on L1 by a withdrawal. See
///         IStandardBridge.
interface IL2StandardBridge is IStandardBridge {
    /// @notice Only this contract calls it.
    error L2StandardBridge_NotSelf(address caller);

    /// @notice Older names of IStandardBridge's events, which come together with them. Ether is token zero on L1 and
    ///         0xDeadDeAddeAddEAddeadDEaDDEAdDeaDDeAD0000 on L2.
    event WithdrawalInitiated(
        address indexed l1Token,
        address indexed l2Token,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );
    event DepositFinalized(
        address indexed l1Token,
        address indexed l2Token,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );

    /// @notice A deposit could not be delivered to `to`, and is on its way back to `from` on L1.
    event DepositFailed(
        address indexed l1Token,
        address indexed l2Token,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );

    /// @notice Withdraws tokens that were made for the bridge, or ether under the address that the events give it, to
    ///         the caller's own address. Only for accounts with a key.
    function withdraw(address _l2Token, uint256 _amount, uint32 _minGasLimit, bytes calldata _extraData)
        external
        payable;

    /// @notice Withdraws tokens that were made for the bridge, or ether under the address that the events give it, to
    ///         `_to`.
    function withdrawTo(
        address _l2Token,
        address _to,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external payable;

    /// @notice Pays out or mints tokens; a call of its own, so that it can fail as a whole.
    function deliverERC20(address _localToken, address _remoteToken, address _to, uint256 _amount) external;

    /// @notice Older name of otherBridge.
    function l1TokenBridge() external view returns (address);
}
