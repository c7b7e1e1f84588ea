// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IStandardBridge } from "./IStandardBridge.sol";

/// @title IL2StandardBridge
/// @notice The bridge on L2. Its deposits come from the alias of the bridge on L1, and its withdrawals go
///         through L2ToL1MessagePasser. A withdrawal returns a failed deposit to its sender on L1. See
///         IStandardBridge.
interface IL2StandardBridge is IStandardBridge {
    /// @notice The caller is not this contract.
    error L2StandardBridge_NotSelf(address caller);

    /// @notice Older names of IStandardBridge's events. The bridge emits both. Ether is token zero on L1 and
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

    /// @notice A deposit could not be delivered to `to`. A withdrawal returns it to `from` on L1.
    event DepositFailed(
        address indexed l1Token,
        address indexed l2Token,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );

    /// @notice Withdraws mintable tokens, or ether under the address in the events, to the caller's own
    ///         address. Only for accounts with a key.
    function withdraw(address _l2Token, uint256 _amount, uint32 _minGasLimit, bytes calldata _extraData)
        external
        payable;

    /// @notice Withdraws mintable tokens, or ether under the address in the events, to `_to`.
    function withdrawTo(
        address _l2Token,
        address _to,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external payable;

    /// @notice Pays out or mints tokens. It is a separate call, so that a failure undoes all of it. Only for
    ///         this contract.
    function deliverERC20(address _localToken, address _remoteToken, address _to, uint256 _amount) external;

    /// @notice Older name of otherBridge.
    function l1TokenBridge() external view returns (address);
}
