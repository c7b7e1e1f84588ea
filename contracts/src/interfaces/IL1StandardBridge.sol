// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IPortal } from "./IPortal.sol";
import { IStandardBridge } from "./IStandardBridge.sol";

/// @title IL1StandardBridge
/// @notice The bridge on L1. Its deposits go through the portal, with enough gas for L2 to return a failed
///         deposit. The portal executes its withdrawals. See IStandardBridge.
interface IL1StandardBridge is IStandardBridge {
    /// @notice Older names of IStandardBridge's events. The bridge emits both.
    event ETHDepositInitiated(address indexed from, address indexed to, uint256 amount, bytes extraData);
    event ETHWithdrawalFinalized(address indexed from, address indexed to, uint256 amount, bytes extraData);
    event ERC20DepositInitiated(
        address indexed l1Token,
        address indexed l2Token,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );
    event ERC20WithdrawalFinalized(
        address indexed l1Token,
        address indexed l2Token,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );

    /// @notice Older name of bridgeETH.
    function depositETH(uint32 _minGasLimit, bytes calldata _extraData) external payable;

    /// @notice Older name of bridgeETHTo.
    function depositETHTo(address _to, uint32 _minGasLimit, bytes calldata _extraData) external payable;

    /// @notice Older name of bridgeERC20.
    function depositERC20(
        address _l1Token,
        address _l2Token,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external;

    /// @notice Older name of bridgeERC20To.
    function depositERC20To(
        address _l1Token,
        address _l2Token,
        address _to,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external;

    /// @notice Older name of otherBridge.
    function l2TokenBridge() external view returns (address);

    /// @notice The portal that queues deposits and executes withdrawals.
    function portal() external view returns (IPortal);
}
