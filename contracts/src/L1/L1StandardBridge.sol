// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { SafeTransferLib } from "solady/utils/SafeTransferLib.sol";
import { IL1StandardBridge } from "../interfaces/IL1StandardBridge.sol";
import { IPortal } from "../interfaces/IPortal.sol";
import { IStandardBridge } from "../interfaces/IStandardBridge.sol";
import { Predeploys } from "../lib/Predeploys.sol";
import { StandardBridge } from "../universal/StandardBridge.sol";

/// @title L1StandardBridge
/// @notice The bridge on L1; see IL1StandardBridge.
contract L1StandardBridge is StandardBridge, IL1StandardBridge {
    /// @dev L2 gas of a delivery besides the recipient's gas, per call and per byte of its data. It covers
    ///      the work of the bridge on L2 and the return of a failed deposit (see L2StandardBridge).
    uint64 private constant DELIVERY_GAS = 300_000;
    uint64 private constant DELIVERY_BYTE_GAS = 40;
    /// @dev A call passes on at most 63/64 of the gas (EIP-150).
    uint64 private constant CALL_GAS_PARTS = 64;

    /// @inheritdoc IL1StandardBridge
    IPortal public immutable portal;

    constructor(IPortal portal_) {
        portal = portal_;
    }

    /// @inheritdoc IL1StandardBridge
    function depositETH(uint32 _minGasLimit, bytes calldata _extraData) external payable {
        bridgeETH(_minGasLimit, _extraData);
    }

    /// @inheritdoc IL1StandardBridge
    function depositETHTo(address _to, uint32 _minGasLimit, bytes calldata _extraData) external payable {
        bridgeETHTo(_to, _minGasLimit, _extraData);
    }

    /// @inheritdoc IL1StandardBridge
    function depositERC20(
        address _l1Token,
        address _l2Token,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external {
        bridgeERC20(_l1Token, _l2Token, _amount, _minGasLimit, _extraData);
    }

    /// @inheritdoc IL1StandardBridge
    function depositERC20To(
        address _l1Token,
        address _l2Token,
        address _to,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external {
        bridgeERC20To(_l1Token, _l2Token, _to, _amount, _minGasLimit, _extraData);
    }

    /// @inheritdoc IStandardBridge
    function finalizeBridgeETH(address _from, address _to, uint256 _amount, bytes calldata _extraData)
        external
        payable
        onlyOtherBridge
    {
        if (msg.value != _amount) revert StandardBridge_WrongValue(_amount, msg.value);
        emit ETHWithdrawalFinalized(_from, _to, _amount, _extraData);
        emit ETHBridgeFinalized(_from, _to, _amount, _extraData);
        SafeTransferLib.safeTransferETH(_to, _amount);
    }

    /// @inheritdoc IStandardBridge
    function finalizeBridgeERC20(
        address _localToken,
        address _remoteToken,
        address _from,
        address _to,
        uint256 _amount,
        bytes calldata _extraData
    ) external onlyOtherBridge nonReentrant {
        emit ERC20WithdrawalFinalized(_localToken, _remoteToken, _from, _to, _amount, _extraData);
        emit ERC20BridgeFinalized(_localToken, _remoteToken, _from, _to, _amount, _extraData);
        _give(_localToken, _remoteToken, _to, _amount);
    }

    /// @inheritdoc IL1StandardBridge
    function l2TokenBridge() external pure returns (address) {
        return Predeploys.L2_STANDARD_BRIDGE;
    }

    /// @inheritdoc IStandardBridge
    function otherBridge() public pure override(IStandardBridge, StandardBridge) returns (address) {
        return Predeploys.L2_STANDARD_BRIDGE;
    }

    function _isOtherBridge() internal view override returns (bool) {
        return msg.sender == address(portal) && portal.l2Sender() == Predeploys.L2_STANDARD_BRIDGE;
    }

    function _send(uint256 value, bytes memory message, uint32 minGasLimit) internal override {
        uint64 dataBytes = uint64(message.length);
        uint64 gasLimit = portal.minimumGasLimit(dataBytes, false) + DELIVERY_GAS + DELIVERY_BYTE_GAS
            * dataBytes + uint64(minGasLimit) * CALL_GAS_PARTS / (CALL_GAS_PARTS - 1);
        portal.depositTransaction{ value: value }(
            Predeploys.L2_STANDARD_BRIDGE, value, gasLimit, false, message
        );
    }

    function _emitETHInitiated(address from, address to, uint256 amount, bytes memory extraData)
        internal
        override
    {
        emit ETHDepositInitiated(from, to, amount, extraData);
        emit ETHBridgeInitiated(from, to, amount, extraData);
    }

    function _emitERC20Initiated(
        address localToken,
        address remoteToken,
        address from,
        address to,
        uint256 amount,
        bytes memory extraData
    ) internal override {
        emit ERC20DepositInitiated(localToken, remoteToken, from, to, amount, extraData);
        emit ERC20BridgeInitiated(localToken, remoteToken, from, to, amount, extraData);
    }
}
